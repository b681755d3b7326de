"""The command ``sslreg check``."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from sslreg.cli.console import print_diagnostics, print_json, stderr, stdout
from sslreg.cli.options import Overrides, SpecName
from sslreg.errors import UserError
from sslreg.metric_names import format_expected

if TYPE_CHECKING:
    from sslreg.spec import Spec


class Format(StrEnum):
    """The output formats of the command."""

    text = "text"
    json = "json"
    github = "github"


def check(
    spec: SpecName,
    overrides: Overrides = None,
    format_: Annotated[Format, typer.Option("--format", help="The output format.")] = Format.text,
) -> None:
    """Check a spec. Reports all errors at once, each with its line and a hint.

    Everything is built and tried that needs no data. The command does not train, read data or download anything; use
    train --dry-run for that.
    """
    from sslreg.spec import load_spec

    try:
        loaded = load_spec(spec, overrides or ())
        from sslreg.assembly import try_spec

        warnings = try_spec(loaded)
    except UserError as error:
        ok, diagnostics, sources = False, error.diagnostics, error.sources
    else:
        ok, diagnostics, sources = True, warnings, loaded.sources
    if format_ is Format.json:
        print_json({"ok": ok, "diagnostics": [diagnostic.as_json() for diagnostic in diagnostics]})
    elif format_ is Format.github:
        from sslreg.spec.diagnostic_rendering import format_for_github

        for diagnostic in diagnostics:
            stdout.print(format_for_github(diagnostic))
    else:
        print_diagnostics(diagnostics, sources, stderr)
        if ok:
            stdout.print(f"{loaded.file}: ok")
            _print_learning_rate(loaded)
            for line in format_expected(loaded.expect):
                stdout.print(line)
    if not ok:
        raise typer.Exit(UserError.exit_status)


def _print_learning_rate(spec: Spec) -> None:
    """Print the actual learning rate if the spec states it for another number of samples per step."""
    from sslreg.spec.parameters import parameters_of

    base, parameters = spec.optimizer.keys["base_batch_size"], parameters_of(spec.optimizer.info)
    if base is None or "lr" not in parameters:
        return
    stated = spec.optimizer.params.get("lr", parameters["lr"].default)
    scaled = stated * spec.learning_rate_scale
    stdout.print(
        f"learning rate: {stated:g} for {base} samples per step, {scaled:g} for the actual {spec.samples_per_step}",
    )
