"""The runs of a report, read from their folders."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sslreg.runs import Run
from sslreg.runs.folder import RunFolder
from sslreg.runs.records import RunRecord, read_run

#: The steps and values of a metric.
Curve = list[tuple[float, float]]


@dataclass(frozen=True)
class ReportedRun:
    """A run and what its folder says about it.

    Attributes:
        number: Its number from 0, which gives the run its color.
        label: Its name in the report.
        run: The run.
        record: Its state and summary.
        curves: The content of metrics.csv, by metric.
        metrics: The last evaluations by subject, in the order of a table's columns.
    """

    number: int
    label: str
    run: Run
    record: RunRecord
    curves: Mapping[str, Curve]
    metrics: Mapping[str, Mapping[str, float]]


def read_runs(paths: Sequence[str | Path]) -> list[ReportedRun]:
    """Read runs from their folders.

    Raises:
        UserError: A path is not the folder of a run, or its spec needs a plugin that is not installed.
    """
    runs = [Run(path) for path in paths]
    labels = _make_labels([run.path for run in runs])
    reported = []
    for number, (run, label) in enumerate(zip(runs, labels, strict=True)):
        assert run.spec  # read now: without its spec, a run cannot be reported
        record = read_run(run.path)
        curves = read_curves(run.folder)
        reported.append(ReportedRun(number, label, run, record, curves, record.metrics_by_subject()))
    return reported


def _make_labels(paths: Sequence[Path]) -> list[str]:
    """Return the shortest ends of the paths that tell them apart."""
    parts = [path.absolute().parts for path in paths]
    longest = max(map(len, parts))
    for length in range(1, longest + 1):
        labels = ["/".join(own[-length:]) for own in parts]
        if len(set(labels)) == len({*parts}):
            return labels
    raise AssertionError("whole paths tell different folders apart")


def read_curves(folder: RunFolder) -> dict[str, Curve]:
    """Read every metric in metrics.csv over the steps; the result is empty without such a file."""
    if not folder.metrics.is_file():
        return {}
    # A run that is being written, or was killed, may have an incomplete line at its end.
    complete, newline, _ = folder.metrics.read_text(encoding="utf-8").rpartition("\n")
    curves: dict[str, Curve] = {}
    for row in csv.DictReader(io.StringIO(complete + newline)):
        for name, text in row.items():
            if name not in ("step", "epoch") and text and math.isfinite(float(text)):
                curves.setdefault(name, []).append((int(row["step"]), float(text)))
    return curves
