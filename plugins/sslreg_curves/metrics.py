"""The figures that a run wrote."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import sslreg

#: A figure's course: steps and values.
Curve = list[tuple[int, float]]


def read_metrics(run: Path) -> dict[str, Curve]:
    """Every figure in a run's metrics.csv by name, the loss first. UserError: there is no such file, or it is empty."""
    path = run / "metrics.csv"
    if not path.is_file():
        raise sslreg.UserError(
            f"{run} has no metrics.csv", hint="name the folder of a run, such as runs/NAME/TIMESTAMP", code="not-a-run"
        )
    curves: dict[str, Curve] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            step = int(row["step"])
            for name, text in row.items():
                if name not in ("step", "epoch") and text and math.isfinite(float(text)):
                    curves.setdefault(name, []).append((step, float(text)))
    if not curves:
        raise sslreg.UserError(f"{path} has no figures yet", hint="wait for the first steps", code="no-metrics")
    return curves
