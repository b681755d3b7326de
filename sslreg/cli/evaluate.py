"""The command ``sslreg evaluate``."""

from __future__ import annotations

from typing import Annotated

import typer

from sslreg.cli.console import print_json, stderr
from sslreg.cli.metrics_table import print_metrics
from sslreg.cli.options import Json, RunFolder
from sslreg.registry import installed


def evaluate(
    run: RunFolder,
    evaluators: Annotated[
        list[str] | None,
        typer.Argument(metavar="EVALUATOR", help="The names of evaluators; default: those of the run's spec."),
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", metavar="SPEC", help="Use the reference and test sets of this spec.")
    ] = None,
    json: Json = False,
) -> None:
    """Evaluate a run's backbone and compare it with baselines.

    The baselines are raw pixels, the untrained backbone, the weights from which the run started, and those that its
    spec names. What this run or another has computed before, of the same images and evaluators, is reused. Metrics on
    the run's own data are added to its evaluations.json; those on other data are only printed.
    """
    from sslreg.runs import load_run
    from sslreg.runs.run_evaluation import evaluate_run, save_evaluations
    from sslreg.spec import load_spec

    loaded = load_run(run)
    in_spec = {entry.keys["as"] or entry.info.name for entry in loaded.spec.evaluate}
    for name in evaluators or ():
        if name not in in_spec:
            # Look it up here, since an error in the run's spec would show a line that the user has not written.
            installed().get("evaluator", name)
    metrics = evaluate_run(
        loaded, evaluators or (), None if data is None else load_spec(data), store=data is None, console=stderr
    )
    if json:
        print_json(metrics.as_json())
    else:
        print_metrics(metrics.by_subject, metrics.unavailable)
    if data is None:
        save_evaluations(loaded, metrics.by_subject)
