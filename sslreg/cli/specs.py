"""The commands ``sslreg specs …``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from sslreg.atomic_files import write_text
from sslreg.cli.console import print_json, stdout
from sslreg.cli.options import Json
from sslreg.cli.schema import write_schema
from sslreg.errors import UserError
from sslreg.export.files import require_new
from sslreg.suggestions import did_you_mean

#: The schema next to a copied spec; the spec's first line points editors to it.
SCHEMA = "sslreg.schema.json"

app = typer.Typer(name="specs", help="List and copy the specs that come with sslreg.", no_args_is_help=True)


@app.command("list")
def list_(json: Json = False) -> None:
    """List the shipped specs."""
    from sslreg.spec.shipped_specs import shipped_specs, summary_of

    summaries = {name: summary_of(path) for name, path in shipped_specs().items()}
    if json:
        print_json({"specs": [{"name": name, "summary": summary} for name, summary in summaries.items()]})
        return
    table = Table("spec", "summary")
    for name, summary in summaries.items():
        table.add_row(name, summary)
    stdout.print(table)


@app.command()
def copy(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of a shipped spec.")],
    to: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="The file to write; default: NAME.yaml in this folder.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Copy a shipped spec, to change it.

    The JSON Schema for editors is written next to it.
    """
    from sslreg.spec.shipped_specs import shipped_specs

    shipped = shipped_specs()
    if name not in shipped:
        raise UserError(f"there is no shipped spec {name!r}", hint=did_you_mean(name, shipped), code="unknown-spec")
    target = Path(f"{name}.yaml") if to is None else to / f"{name}.yaml" if to.is_dir() else to
    require_new(target, force=force)
    write_text(target, f"# yaml-language-server: $schema={SCHEMA}\n{shipped[name].read_text(encoding='utf-8')}")
    write_schema(target.with_name(SCHEMA))
    stdout.print(f"{target}: change it, then run: sslreg train {target}")
