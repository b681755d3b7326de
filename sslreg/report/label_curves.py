"""Charts of accuracies by the number of labels, one for each run."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

from sslreg.metric_names import INTERVAL, initial_subject, order_subjects, parse_label_counts, title_subject
from sslreg.report.charts import Band, Chart, build_chart
from sslreg.report.reported_runs import RunResults
from sslreg.runs.curve_reader import Curve

#: The CSS classes of the lines of subjects, and those of further baselines.
_STYLES = {"trained": "run-0", "starting": "run-1", "untrained": "run-2 dashed", "raw_pixels": "run-3 dashed"}
_FURTHER_STYLES = ("run-4", "run-5")


def label_curves(runs: Sequence[RunResults]) -> list[tuple[str, Chart]]:
    """Return a chart for each run and each evaluator with metrics by the number of labels, with the run's label."""
    return [
        (run.label, _build_chart(run, prefix, counts))
        for run in runs
        for prefix, counts in parse_label_counts(run.metrics["trained"]).items()
    ]


def _build_chart(run: RunResults, prefix: str, counts: Mapping[int, str]) -> Chart:
    """Build the chart of one evaluator. All labels are drawn one step after the largest number."""
    largest = max(counts)
    positions = {name: math.log2(count) for count, name in counts.items()}
    positions[f"{prefix}_all"] = math.log2(largest) + 1
    curves: dict[tuple[str, str], Curve] = {}
    bands: dict[tuple[str, str], Band] = {}
    further = itertools.cycle(_FURTHER_STYLES)
    for subject in reversed(order_subjects(run.metrics)):
        metrics = run.metrics[subject]
        if known := [(position, name) for name, position in positions.items() if name in metrics]:
            key = (title_subject(subject), _STYLES.get(subject) or next(further))
            curves[key] = [(position, metrics[name]) for position, name in known]
            if subject in ("trained", initial_subject(run.metrics)):  # more bands would cover each other
                halves = [metrics.get(f"{name}{INTERVAL}", 0.0) for _, name in known]
                points = zip(curves[key], halves, strict=True)
                bands[key] = [(position, value - half, value + half) for (position, value), half in points]
    ticks = {positions[name]: f"{count:,}" for count, name in counts.items()} | {positions[f"{prefix}_all"]: "all"}
    return build_chart(prefix, curves, "labels per class", bands=bands, ticks=ticks)
