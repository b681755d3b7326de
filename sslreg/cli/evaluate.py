"""sslreg evaluate"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sslreg.cli.options import Json
from sslreg.cli.output import figures_table, print_json, stdout


def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")],
    evaluators: Annotated[
        list[str] | None,
        typer.Argument(metavar="[EVALUATOR]...", help="Evaluators by name; default: those of the run's spec."),
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", metavar="SPEC", help="Use this spec's reference and test sets.")
    ] = None,
    json: Json = False,
) -> None:
    """Evaluate a run's backbone, beside raw pixels and the untrained backbone."""
    from sslreg.spec import load_spec
    from sslreg.training import load_run
    from sslreg.training.evaluate_run import evaluate_run

    figures = evaluate_run(load_run(run), evaluators or (), None if data is None else load_spec(data))
    if json:
        print_json(figures)
    else:
        stdout.print(figures_table(figures["trained"], figures))
