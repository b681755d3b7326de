"""sslreg check"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from sslreg.cli.console import print_diagnostics, print_json, stderr, stdout
from sslreg.cli.options import Overrides, SpecName
from sslreg.errors import UserError

if TYPE_CHECKING:
    from sslreg.spec import Spec


class Format(StrEnum):
    text = "text"
    json = "json"
    github = "github"


def check(
    spec: SpecName,
    overrides: Overrides = None,
    format_: Annotated[Format, typer.Option("--format", help="How to print what is found.")] = Format.text,
) -> None:
    """Check a spec: every error at once, at its line, with its cure.

    Nothing is trained, and no data is looked at: train --dry-run does that.
    """
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
        from sslreg.spec.diagnostic_rendering import format_for_github

        for diagnostic in found:
            typer.echo(format_for_github(diagnostic))
    else:
        print_diagnostics(found, sources, stderr)
        if ok:
            stdout.print(f"{loaded.file}: ok", highlight=False)
            _explain_learning_rate(loaded)
    if not ok:
        raise typer.Exit(UserError.exit_status)


def _explain_learning_rate(spec: Spec) -> None:
    """Say what the learning rate comes to where the spec states it for another number of samples."""
    from sslreg.spec.parameters import parameters_of

    base, known = spec.optimizer.keys["base_batch_size"], parameters_of(spec.optimizer.info)
    if base is None or "lr" not in known:
        return
    stated = spec.optimizer.params.get("lr", known["lr"].default)
    scaled = stated * spec.learning_rate_scale
    stdout.print(
        f"learning rate: {stated:g} for {base} samples, {scaled:g} for the {spec.samples_per_step} of a step",
        highlight=False,
    )
