"""The command ``sslreg schema``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sslreg.atomic_files import write_json
from sslreg.cli.console import print_json, stdout
from sslreg.export.files import require_new


def schema(
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write the schema to a file.")] = None,
) -> None:
    """Print the JSON Schema of specs, for editors.

    The schema describes the installed components; editors use it for completion, explanations and checks.
    """
    if out is None:
        from sslreg.registry import installed
        from sslreg.spec.json_schema import json_schema

        print_json(json_schema(installed()))
        return
    require_new(out, force=True)
    write_schema(out)
    stdout.print(f"{out}: start a spec with this line\n# yaml-language-server: $schema={out}")


def write_schema(path: Path) -> None:
    """Write the schema of the installed components.

    Raises:
        SslregError: the file cannot be written.
    """
    from sslreg.registry import installed
    from sslreg.spec.json_schema import json_schema

    write_json(path, json_schema(installed()))
