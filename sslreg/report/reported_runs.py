"""The runs of a report, read from their folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sslreg.errors import SslregError
from sslreg.runs import Run
from sslreg.runs.curve_reader import Curve, CurveReader
from sslreg.runs.folder import RunFolder
from sslreg.runs.records import RunRecord, read_run


@dataclass(frozen=True)
class RunResults:
    """What the small files of a run say about it.

    Attributes:
        number: Its number from 0, which gives the run its color.
        label: Its name in the report.
        record: Its state, spec and summary.
        curves: The content of metrics.csv, by metric.
        metrics: The last evaluations by subject, in the order of a table's columns.
    """

    number: int
    label: str
    record: RunRecord
    curves: Mapping[str, Curve]
    metrics: Mapping[str, Mapping[str, float]]

    def suggest_evaluator(self) -> str | None:
        """Return the name of an evaluator that suits the data, None without labels."""
        return "knn"


@dataclass(frozen=True)
class ReportedRun(RunResults):
    """A run of a report.

    Attributes:
        run: The run, with its spec, its data and its backbone.
    """

    run: Run

    def suggest_evaluator(self) -> str | None:
        try:
            samples = self.run.split("test" if self.run.spec.data.find("test") else "train")
        except SslregError:
            return super().suggest_evaluator()  # whether there are labels is unknown
        if samples.has_masks:
            return "dense_knn"
        return "knn" if samples.has_targets or samples.has_label_sets else None


def read_runs(paths: Sequence[str | Path]) -> list[ReportedRun]:
    """Read runs from their folders.

    Raises:
        UserError: A path is not the folder of a run, or its spec needs a plugin that is not installed.
    """
    runs = [Run(path) for path in paths]
    for run in runs:
        assert run.spec  # read now: without its spec, a run cannot be reported
    results = collect_results([(read_run(run.path), read_curves(run.folder)) for run in runs])
    return [
        ReportedRun(result.number, result.label, result.record, result.curves, result.metrics, run)
        for result, run in zip(results, runs, strict=True)
    ]


def collect_results(runs: Sequence[tuple[RunRecord, Mapping[str, Curve]]]) -> list[RunResults]:
    """Number and label runs.

    Args:
        runs: The records of the runs, with their curves by metric.
    """
    labels = _make_labels([record.path for record, _ in runs])
    return [
        RunResults(number, label, record, curves, record.metrics_by_subject())
        for number, (label, (record, curves)) in enumerate(zip(labels, runs, strict=True))
    ]


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
    reader = CurveReader(folder.metrics)
    reader.update()
    return reader.curves
