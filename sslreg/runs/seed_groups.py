"""Groups of runs that differ in nothing but their seeds, and the values in which runs differ. Imports no torch."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sslreg.metric_names import INTERVAL
from sslreg.runs.records import RunRecord, to_scalar
from sslreg.spec.diff import ABSENT, find_changes

#: The keys of a spec that do not change what is trained.
_LABELS = ("name", "expect")

SEED = "seed"


def group_by_seed(runs: Sequence[RunRecord]) -> list[list[int]]:
    """Return the numbers of the runs that differ in nothing but their seeds, in the order of the first of each."""
    groups: dict[str, list[int]] = {}
    for number, run in enumerate(runs):
        spec = {key: value for key, value in run.spec.items() if key != SEED}
        # A broken run without a spec is alone.
        text = json.dumps(spec, sort_keys=True, default=str) if spec else str(run.path)
        groups.setdefault(text, []).append(number)
    return [*groups.values()]


def find_varying_values(runs: Sequence[RunRecord]) -> list[str]:
    """Return the paths of the values in which the specs of runs differ: scalars, and components that are replaced."""
    specs = [{key: value for key, value in run.spec.items() if key not in _LABELS} for run in runs if run.spec]
    changes = [change for spec in specs[1:] for change in find_changes(specs[0], spec)]
    others = {change.path for change in changes if not (_is_simple(change.before) and _is_simple(change.after))}
    return [path for path in dict.fromkeys(change.path for change in changes) if path not in others]


def _is_simple(value: Any) -> bool:
    return value is ABSENT or not isinstance(to_scalar(value), list | Mapping)


def average_over_seeds(values: Sequence[float], intervals: Sequence[float]) -> tuple[float, float]:
    """Return the mean of a metric over runs that differ in nothing but their seeds, and half of its 95 % interval.

    The interval covers the test images and, of several runs, the seeds by Student's t.

    Args:
        values: The metric of each run.
        intervals: Half of the interval of each of them, which covers the test images.
    """
    count = len(values)
    mean, interval = math.fsum(values) / count, math.fsum(intervals) / count
    if count > 1:
        from scipy.stats import t

        error = statistics.stdev(values) / math.sqrt(count) if math.isfinite(mean) else math.nan
        interval = math.hypot(interval, float(t.ppf(0.975, count - 1)) * error)
    return mean, interval


def average_metric(metric: str, runs: Iterable[Mapping[str, Any]]) -> tuple[float, float | None] | None:
    """Return the mean of a metric over the seeds that have it, and half of its 95 % interval.

    The interval is None if the metric has none and there is a single run. The result is None if no run has the metric.
    """
    known = [own for own in runs if isinstance(own.get(metric), int | float)]
    if not known:
        return None
    name = f"{metric}{INTERVAL}"
    has_interval = all(name in own for own in known)
    intervals = [own[name] if has_interval else 0.0 for own in known]
    mean, interval = average_over_seeds([own[metric] for own in known], intervals)
    return mean, interval if has_interval or len(known) > 1 else None
