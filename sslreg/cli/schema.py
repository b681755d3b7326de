"""sslreg schema"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sslreg.cli.output import print_json, stdout
from sslreg.errors import SslregError


def schema(
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write it to a file.")] = None,
) -> None:
    """Print the JSON Schema of specs that use the installed components, for completion and hover in an editor."""
    import json

    from sslreg.registry import installed
    from sslreg.spec.schema import json_schema

    content = json_schema(installed())
    if out is None:
        print_json(content)
        return
    try:
        out.write_text(json.dumps(content, indent=2) + "\n")
    except OSError as error:
        raise SslregError(f"{out} cannot be written: {error.strerror}") from error
    stdout.print(
        f"{out}: begin a spec with the line\n# yaml-language-server: $schema={out}", highlight=False, markup=False
    )
