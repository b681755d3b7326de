"""The figures that a run wrote."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import sslreg

#: A figure's course: steps and values.
Curve = list[tuple[int, float]]

#: What a run is watched by for a collapse, and how each is read.
COLLAPSE = {
    "embedding_std": "1 spread, 0 one point",
    "effective_rank": "dimensions in use",
    "alignment": "distance of positives",
    "uniformity": "lower is more even",
}

#: The end of the name of a confidence interval's half-width, after that of its figure.
INTERVAL = "_ci"


def read_metrics(run: Path) -> dict[str, Curve]:
    """Every figure in a run's metrics.csv by name, the loss first. UserError: there is no such file, or it is empty."""
    path = run / "metrics.csv"
    if not path.is_file():
        raise sslreg.UserError(
            f"{run} has no metrics.csv", hint="name the folder of a run, such as runs/NAME/TIMESTAMP", code="not-a-run"
        )
    # Of a run that is being trained the last line may not be whole.
    whole, end, _ = path.read_text(encoding="utf-8").rpartition("\n")
    curves: dict[str, Curve] = {}
    for row in csv.DictReader(io.StringIO(whole + end)):
        step = int(row["step"])
        for name, text in row.items():
            if name not in ("step", "epoch") and (value := _number(text)) is not None:
                curves.setdefault(name, []).append((step, value))
    if not curves:
        raise sslreg.UserError(f"{path} has no figures yet", hint="wait for the first steps", code="no-metrics")
    return curves


def without_intervals(curves: dict[str, Curve]) -> dict[str, Curve]:
    """The figures alone, without the widths of their confidence intervals."""
    widths = {f"{name}{INTERVAL}" for name in curves}
    return {name: curve for name, curve in curves.items() if name not in widths}


def reached(curves: dict[str, Curve], most: int = 8) -> dict[str, Curve]:
    """The loss and what was evaluated, as far as it has a course: what to look at when a run has ended."""
    left_out = {"lr", *COLLAPSE}
    shown = {name: curve for name, curve in without_intervals(curves).items() if name not in left_out}
    return {name: curve for name, curve in list(shown.items())[:most] if len(curve) > 1}


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "nan")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
