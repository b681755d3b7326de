"""sslreg evaluate"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sslreg.cli.console import print_json
from sslreg.cli.invariance_table import print_metrics
from sslreg.cli.options import Json
from sslreg.registry import installed


def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")],
    evaluators: Annotated[
        list[str] | None,
        typer.Argument(metavar="EVALUATOR", help="Evaluators by name; default: those of the run's spec."),
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", metavar="SPEC", help="Use this spec's reference and test sets.")
    ] = None,
    json: Json = False,
) -> None:
    """Evaluate a run's backbone, beside raw pixels and its start.

    Its start is the backbone as it was before the training. Figures on the run's own data are kept in its
    evaluations.json; those of --data are printed alone.
    """
    from sslreg.runs.run_evaluation import evaluate_run, keep_evaluations
    from sslreg.spec import load_spec
    from sslreg.training import load_run

    loaded = load_run(run)
    own = {entry.keys["as"] or entry.info.name for entry in loaded.spec.evaluate}
    for name in evaluators or ():
        if name not in own:
            installed().get("evaluator", name)  # before the spec is asked, which would show it as a line of its own
    figures = evaluate_run(loaded, evaluators or (), None if data is None else load_spec(data))
    if json:
        print_json(figures)
    else:
        print_metrics(figures)
    if data is None:
        keep_evaluations(loaded, figures)
