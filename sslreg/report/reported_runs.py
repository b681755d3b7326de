"""The runs of a report, as their folders tell them."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sslreg.runs.folder import RunFolder
from sslreg.runs.records import RunRecord, read_run
from sslreg.training import Run

#: A figure's course: steps and values.
Curve = list[tuple[float, float]]

#: What figures are of, in the order of a table's columns: the keys that evaluations have them under.
SUBJECTS = {"raw_pixels": "raw pixels", "untrained": "untrained", "trained": "trained"}


@dataclass(frozen=True)
class ReportedRun:
    """A run under the name that a report calls it. number: from 0; gives the run its color.

    curves: what metrics.csv holds, by figure. figures: the last evaluations, by `SUBJECTS`.
    """

    number: int
    label: str
    run: Run
    record: RunRecord
    curves: Mapping[str, Curve]
    figures: Mapping[str, Mapping[str, float]]


def reported(paths: Sequence[str | Path]) -> list[ReportedRun]:
    """UserError: one of the paths is not the folder of a run, or its spec needs a plugin that is not there."""
    runs = [Run(path) for path in paths]
    labels = _labels([run.path for run in runs])
    found = []
    for number, (run, label) in enumerate(zip(runs, labels, strict=True)):
        assert run.spec  # now, since nothing can be said of a run whose spec cannot be read
        record = read_run(run.path)
        found.append(ReportedRun(number, label, run, record, read_curves(run.folder), _figures(record.values)))
    return found


def _labels(paths: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths that tell them apart."""
    parts = [path.absolute().parts for path in paths]
    longest = max(map(len, parts))
    for length in range(1, longest + 1):
        labels = ["/".join(own[-length:]) for own in parts]
        if len(set(labels)) == len({*parts}):
            return labels
    raise AssertionError("whole paths tell different folders apart")


def read_curves(folder: RunFolder) -> dict[str, Curve]:
    """Every figure in metrics.csv over the steps; none if there is no such file."""
    if not folder.metrics.is_file():
        return {}
    # A run that is being written, or was killed, may have a part of a line at its end.
    whole, end, _ = folder.metrics.read_text(encoding="utf-8").rpartition("\n")
    curves: dict[str, Curve] = {}
    for row in csv.DictReader(io.StringIO(whole + end)):
        for name, text in row.items():
            if name not in ("step", "epoch") and text and math.isfinite(float(text)):
                curves.setdefault(name, []).append((int(row["step"]), float(text)))
    return curves


def _figures(values: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """The figures that training ended with and what was evaluated afterwards, which wins."""
    baseline, later = values.get("baseline") or {}, values.get("evaluations") or {}
    final = {name: value for name, value in (values.get("final") or {}).items() if name != "loss"}
    at_end = {"trained": final, **baseline}
    return {subject: {**at_end.get(subject, {}), **later.get(subject, {})} for subject in SUBJECTS}
