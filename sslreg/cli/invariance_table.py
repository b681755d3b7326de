"""Tables and summaries of invariance profiles, grouped by invariance."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table

from sslreg.axis import Axis
from sslreg.metric_names import (
    INTERVAL,
    READBACK,
    distance_names,
    format_metric,
    format_value,
    initial_subject,
    invariances_of,
    order_subjects,
    parse_strength,
    title_subject,
    values_by_strength,
)
from sslreg.registry import INVARIANCES

#: Metrics by subject: ``trained``, ``untrained``, ``raw_pixels`` and others.
Metrics = Mapping[str, Mapping[str, float]]

#: How many augmentations a summary names.
_MAX_NAMED = 3

#: Smaller distances are not told apart.
_FLOOR = 1e-3


def split_profiles(metrics: Metrics) -> tuple[Metrics, list[Metrics]]:
    """Separate plain metrics from invariance profiles.

    An evaluator has measured a profile if its metrics include that of a group of augmentations (``NAME_color``) and
    metrics at strengths (``NAME_OP_s25``).

    Returns:
        The plain metrics, and the profiles, whose metrics have no ``NAME_`` prefix.
    """
    names = metrics["trained"]
    prefixes = {name.removesuffix(group) for name in names for group in INVARIANCES if name.endswith(f"_{group}")}
    prefixes = {
        prefix for prefix in prefixes if any(parse_strength(name) is not None for name in _strip_prefix(prefix, names))
    }
    plain: Metrics = {
        features: {name: value for name, value in values.items() if not name.startswith(tuple(prefixes))}
        for features, values in metrics.items()
    }
    profiles: list[Metrics] = [
        {features: _strip_prefix(prefix, values) for features, values in metrics.items()} for prefix in sorted(prefixes)
    ]
    return plain, profiles


def _strip_prefix(prefix: str, metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the metrics with a prefix, without it."""
    return {name.removeprefix(prefix): value for name, value in metrics.items() if name.startswith(prefix)}


def profile_tables(profile: Metrics) -> Iterator[Table]:
    """Yield a table for each group, its geometric mean first, and a table of the parameters that can be read back."""
    for group in INVARIANCES:
        if group in profile["trained"]:
            operations = _operations(profile, group)
            rows = {"geometric mean": group, **{_label(name, operations): name for name in operations}}
            yield _table(f"{group}: 0 if features ignore it, 1 if it moves them as far as another image", profile, rows)
    readback = {name: f"{name}{READBACK}" for name in _operations(profile) if f"{name}{READBACK}" in profile["trained"]}
    if readback:
        yield _table("read back from the features by a linear map: R², at most 1", profile, readback)


def summarize_profile(profile: Metrics) -> Iterator[str]:
    """Yield a sentence for each group that says how training changed the features."""
    for group in INVARIANCES:
        operations = _operations(profile, group)
        rows = [name for name in operations if not any(_aspect(other, name) for other in operations)]
        changes = {name: _Change.of(profile, name) for name in (group, *rows) if _is_comparable(profile, name)}
        overall = changes.pop(group, None)
        if overall and changes:
            yield f"{group}: {_summarize(overall, list(changes.values()))}"


def _is_comparable(profile: Metrics, name: str) -> bool:
    """Return whether a metric is finite with and without training."""
    subjects = (initial_subject(profile), "trained")
    return all(math.isfinite(profile[features].get(name, math.nan)) for features in subjects)


@dataclass(frozen=True)
class _Change:
    """How training changed a metric.

    Attributes:
        name: The metric.
        before, after: Its values without and with training.
        ratio: The second divided by the first.
        low, high: The ends of an interval of the ratio: the ratios of opposite ends of the two intervals.
    """

    name: str
    before: float
    after: float
    ratio: float
    low: float
    high: float

    @classmethod
    def of(cls, profile: Metrics, name: str) -> _Change:
        subjects = (initial_subject(profile), "trained")
        before, after = (profile[features][name] for features in subjects)
        margins = [profile[features].get(f"{name}{INTERVAL}", 0.0) for features in subjects]
        (low_before, high_before), (low_after, high_after) = (
            (max(value - margin, _FLOOR), max(value + margin, _FLOOR))
            for value, margin in zip((before, after), margins, strict=True)
        )
        ratio = max(after, _FLOOR) / max(before, _FLOOR)
        return cls(name, before, after, ratio, low_after / high_before, high_after / low_before)

    @property
    def direction(self) -> str:
        """Return ``overlook`` or ``notice``, the effect of training, or "" if the interval contains 1."""
        return "overlook" if self.high < 1 else "notice" if self.low > 1 else ""

    def __str__(self) -> str:
        return f"{self.name} ({format_value(self.before, digits=2)} → {format_value(self.after, digits=2)})"


def _summarize(overall: _Change, changes: Sequence[_Change]) -> str:
    """Summarize the changes of several augmentations, so that the sentence is true of each of them.

    Args:
        overall: The change of the geometric mean.
        changes: The changes of the augmentations.
    """
    ratio, low, high = (format_value(end, digits=2) for end in (overall.ratio, overall.low, overall.high))
    factor = f"×{ratio}, {low} to {high}"
    directions = [change.direction for change in changes]
    if not any(directions):
        return f"training changed nothing measurable ({factor})"
    effect = overall.direction
    opposite = {"overlook": "notice", "notice": "overlook"}.get(effect)
    if effect and opposite not in directions and 2 * directions.count(effect) > len(directions):
        return f"training made the features {effect} it ({factor}); most of all {_list_largest(changes, effect)}"
    parts = [f"{each} {_list_largest(changes, each)}" for each in ("overlook", "notice") if each in directions]
    unchanged = f"; {directions.count('')} of {len(directions)} unchanged" if "" in directions else ""
    return f"mixed ({factor}): training made the features {' and '.join(parts)}{unchanged}"


def _list_largest(changes: Sequence[_Change], direction: str) -> str:
    """Return the largest changes in a direction, as text."""
    alike = [change for change in changes if change.direction == direction]
    alike.sort(key=lambda change: abs(math.log(change.ratio)), reverse=True)
    more = f" and {len(alike) - _MAX_NAMED} more" if len(alike) > _MAX_NAMED else ""
    return ", ".join(map(str, alike[:_MAX_NAMED])) + more


def _operations(profile: Metrics, group: str | None = None) -> list[str]:
    """Return the augmentations and their aspects, an augmentation before its aspects; of one group, if given."""
    operations = sorted(name for name in distance_names(profile["trained"]) if name not in INVARIANCES)
    return [name for name in operations if group is None or group in invariances_of(name)]


def _aspect(name: str, augmentation: str) -> str | None:
    """Return the aspect that a metric is about: rotation for affine_rotation, if the augmentation is affine."""
    return name.removeprefix(f"{augmentation}_") if name.startswith(f"{augmentation}_") else None


def _label(name: str, operations: Sequence[str]) -> str:
    """Return the label of an operation in a table; an aspect is indented below its augmentation."""
    return next((f"  {aspect}" for other in operations if (aspect := _aspect(name, other))), name)


def _table(title: str, profile: Metrics, rows: Mapping[str, str]) -> Table:
    """Return a table of metrics.

    Args:
        title: the title.
        profile: the profile.
        rows: the names of the metrics by label.
    """
    # Without a frame, the table of a run from random weights fits into 80 columns.
    subjects = list(reversed(order_subjects(subject for subject, values in profile.items() if values)))
    titles = map(title_subject, subjects)
    table = Table("", *titles, title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    for label, name in rows.items():
        columns = (profile[subject] for subject in subjects)
        cells = [f"{format_metric(values, name)} {_sparkline(name, values)}" for values in columns]
        table.add_row(label, *cells, style="bold" if name in INVARIANCES else None)
    return table


def _sparkline(name: str, metrics: Mapping[str, float]) -> str:
    """Return a block character for each strength, from 0 to 1."""
    return Axis(0.0, 1.0).blocks(values_by_strength(metrics, name).values())
