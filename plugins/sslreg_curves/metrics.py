"""The figures in a run's metrics.csv."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import sslreg

#: The curve of a figure: steps and values.
Curve = list[tuple[int, float]]

#: The figures that detect a collapse, and what they mean.
COLLAPSE = {
    "embedding_std": "1 spread, 0 one point",
    "effective_rank": "dimensions in use",
    "alignment": "distance of positives",
    "uniformity": "lower is more even",
}

#: The end of the name of a confidence interval's half-width, after that of its figure.
INTERVAL = "_ci"


def read_metrics(run: Path) -> dict[str, Curve]:
    """Return every figure in a run's metrics.csv by name, the loss first.

    Raises:
        UserError: The file is missing or has no figures.
    """
    path = run / "metrics.csv"
    if not path.is_file():
        raise sslreg.UserError(
            f"{run} has no metrics.csv", hint="name the folder of a run, such as runs/NAME/TIMESTAMP", code="not-a-run"
        )
    # While a run trains, the last line may be incomplete.
    whole, end, _ = path.read_text(encoding="utf-8").rpartition("\n")
    curves: dict[str, Curve] = {}
    for row in csv.DictReader(io.StringIO(whole + end)):
        step = int(row["step"])
        for name, text in row.items():
            if name not in ("step", "epoch") and (value := _parse_number(text)) is not None:
                curves.setdefault(name, []).append((step, value))
    if not curves:
        raise sslreg.UserError(f"{path} has no figures yet", hint="wait for the first steps", code="no-metrics")
    return curves


def drop_intervals(curves: dict[str, Curve]) -> dict[str, Curve]:
    """Return the figures without the widths of their confidence intervals."""
    widths = {f"{name}{INTERVAL}" for name in curves}
    return {name: curve for name, curve in curves.items() if name not in widths}


def select_results(curves: dict[str, Curve], count: int = 8) -> dict[str, Curve]:
    """Return the curves to show at the end of a run: up to `count` of loss and evaluations, with two points or more."""
    excluded = {"lr", "weight_decay", *COLLAPSE}
    results = {name: curve for name, curve in drop_intervals(curves).items() if name not in excluded}
    return {name: curve for name, curve in list(results.items())[:count] if len(curve) > 1}


def _parse_number(text: str | None) -> float | None:
    try:
        value = float(text or "nan")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
