"""Evaluation of the untrained backbone of a spec, without a run."""

from __future__ import annotations

import tempfile
from pathlib import Path

from rich.console import Console

from sslreg.runs.folder import RunFolder
from sslreg.spec import Spec
from sslreg.terminal import TerminalConsole
from sslreg.training.lightning_trainer import quiet_lightning
from sslreg.training.loop import evaluate_baselines
from sslreg.training.training_setup import prepare, try_and_warn


def evaluate_untrained(spec: Spec, *, console: Console | None = None) -> dict[str, float]:
    """Evaluate the untrained backbone by the evaluators of a spec, and return all metrics by name.

    This tells which metrics a run of the spec will have, and creates no run. All baselines of the spec are evaluated
    and stored in the user's cache, so that runs of the spec do not evaluate them again.

    Args:
        spec: The spec.
        console: Where progress is shown; by default standard error.

    Returns:
        The metrics; none if the spec has no evaluators.

    Raises:
        UserError: Something does not fit, such as an evaluator that needs labels and data without them.
        InterruptedRunError: A signal arrived.
    """
    console = console or TerminalConsole(stderr=True)
    with quiet_lightning(), tempfile.TemporaryDirectory(prefix="sslreg-untrained-") as folder:
        try_and_warn(spec, console)
        setup = prepare(spec, RunFolder(Path(folder) / "run", is_temporary=True), console)
        with setup.stop:
            baselines = evaluate_baselines(setup)
    return {} if baselines is None else dict(baselines.metrics["untrained"])
