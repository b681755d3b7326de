"""The command ``sslreg explain``."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table

from sslreg.cli.console import print_diagnostics, print_json, stderr, stdout
from sslreg.cli.options import Json, Overrides, SpecName
from sslreg.errors import UserError


def explain(
    spec: SpecName,
    overrides: Overrides = None,
    device: Annotated[
        str | None,
        typer.Option("--device", help="The device, such as cuda or cpu; default: the best one of this machine."),
    ] = None,
    json: Json = False,
) -> None:
    """Show the stages of a spec's views.

    The output tells where each stage runs and what a model learns to overlook.
    """
    from sslreg.assembly import explain_views
    from sslreg.spec import load_spec

    loaded = load_spec(spec, overrides or ())
    content = explain_views(loaded, None if device is None else _require_device(device))
    if json:
        print_json(content)
        return
    print_diagnostics(loaded.warnings, loaded.sources, stderr)
    for view in content["views"]:
        role = f" ({view['role']})" if view["role"] else ""
        title = f"view {view['number']}{role}" + (f", made {view['repeat']} times" if view["repeat"] > 1 else "")
        stdout.print(_table(title, view["stages"]))
    stdout.print(_table("embedding view", content["embed_view"]))
    for invariance, operations in content["invariances"].items():
        stdout.print(f"overlooks {invariance}: {', '.join(operations)}")
    if not content["invariances"]:
        stdout.print("overlooks nothing: no operation induces an invariance")


def _require_device(name: str) -> str:
    """Return the name, or raise `UserError` if torch has no such device."""
    import torch

    try:
        torch.device(name)
    except RuntimeError as error:
        raise UserError(
            f"--device {name}: torch has no such device", hint="use cpu, cuda or mps, for example", code="bad-argument"
        ) from error
    return name


def _table(title: str, stages: list[dict[str, Any]]) -> Table:
    table = Table("stage", "runs on", "operations", title=title, title_justify="left")
    for number, stage in enumerate(stages, start=1):
        table.add_row(str(number), stage["place"], " + ".join(stage["operations"]))
    return table
