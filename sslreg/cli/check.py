"""sslreg check"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from sslreg.cli.options import Overrides, SpecName
from sslreg.cli.output import print_diagnostics, print_json, stderr, stdout
from sslreg.errors import UserError


class Format(StrEnum):
    text = "text"
    json = "json"
    github = "github"


def check(
    spec: SpecName,
    overrides: Overrides = None,
    format_: Annotated[Format, typer.Option("--format", help="How to print what is found.")] = Format.text,
) -> None:
    """Check a spec without training: every error at once, at its place, with its cure."""
    from sslreg.spec import load_spec

    try:
        loaded = load_spec(spec, overrides or ())
    except UserError as error:
        ok, found, sources = False, error.diagnostics, error.sources
    else:
        ok, found, sources = True, loaded.warnings, loaded.sources
    if format_ is Format.json:
        print_json({"ok": ok, "diagnostics": [diagnostic.as_json() for diagnostic in found]})
    elif format_ is Format.github:
        from sslreg.spec.render import as_github

        for diagnostic in found:
            typer.echo(as_github(diagnostic))
    else:
        print_diagnostics(found, sources, stderr)
        if ok:
            stdout.print(f"{loaded.file}: ok", highlight=False)
    if not ok:
        raise typer.Exit(UserError.exit_status)
