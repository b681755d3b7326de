"""The naming scheme of evaluation metrics and their subjects, and how metrics are formatted. Imports no torch.

``X_ci``
    Half-width of the 95 % confidence interval of ``X``.
``X_10``, ``X_all``
    ``X`` with 10 labels per class, and with all labels.
``OP_s25``
    In an invariance profile: how far ``OP`` moves an embedding at 25 % of its strength. ``OP`` is an augmentation or
    one of its aspects.
``OP_readback``
    In an invariance profile: how well the sampled parameters of ``OP`` can be predicted from the embeddings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from sslreg.registry import INVARIANCES, installed

#: The key of a spec's `expect` that is not a metric.
SOURCE = "source"

#: The subjects of evaluations with their titles, in the order of a table's columns. Further baselines, which a spec
#: names, come before `trained`.
SUBJECTS = {"raw_pixels": "raw pixels", "untrained": "untrained", "starting": "starting", "trained": "trained"}

#: The names that a further baseline cannot have: those of subjects, and other keys of the files with evaluations.
RESERVED_SUBJECTS = (*SUBJECTS, "steps", "unavailable")

INTERVAL = "_ci"
READBACK = "_readback"
_STRENGTH = re.compile(r"_s(\d+)$")


def order_subjects(subjects: Iterable[str]) -> list[str]:
    """Return the distinct subjects in the order of a table's columns; further baselines keep their order."""
    columns = [*SUBJECTS]
    distinct = dict.fromkeys(subjects)
    further = [subject for subject in distinct if subject not in SUBJECTS]
    return [subject for subject in (*columns[:-1], *further, columns[-1]) if subject in distinct]


def title_subject(subject: str) -> str:
    """Return the title of a subject: ``raw pixels``; the title of a further baseline is its name."""
    return SUBJECTS.get(subject, subject)


def initial_subject(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the subject from which a training started: ``starting`` if it has metrics, else ``untrained``."""
    return "starting" if metrics.get("starting") else "untrained"


def format_value(value: float, interval: float | None = None, digits: int = 3) -> str:
    """Format a metric's value as ``0.964 ± 0.008``; the interval is omitted if it is None.

    Numbers that would need more than four digits before the decimal point are formatted as ``1e+30``.
    """
    texts = (
        f"{number:.{digits}f}" if abs(number) < 1e4 else f"{number:.3g}"
        for number in (value, interval)
        if number is not None
    )
    return " ± ".join(texts)


def format_count(count: int, noun: str) -> str:
    """Format a count with its noun: ``1 image``, ``2,000 images``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def format_metric(metrics: Mapping[str, Any], name: str) -> str:
    """Format one of `metrics` with its interval; an empty string if it is missing.

    A readback below 0 is formatted as 0: the mean predicts the parameters as well.
    """
    if name not in metrics:
        return ""
    value = max(metrics[name], 0.0) if name.endswith(READBACK) else metrics[name]
    return format_value(value, metrics.get(f"{name}{INTERVAL}"))


def format_expected(expect: Mapping[str, Any], metrics: Mapping[str, Any] | None = None) -> list[str]:
    """Return lines about the metrics that a spec is expected to reach, with their source.

    Args:
        expect: The `expect` of a spec.
        metrics: The metrics of a finished run, which are placed next to the expected ones.
    """
    lines = []
    for name, value in expect.items():
        if name != SOURCE:
            reached = "" if metrics is None else f"{format_metric(metrics, name) or 'not evaluated'}, "
            lines.append(f"{name}: {reached}expected {format_value(value)} ({expect[SOURCE]})")
    return lines


def format_guard(guard: Mapping[str, Any] | None) -> list[str]:
    """Return a line about the `guard` of a run's summary; none without a guard."""
    if guard is None or guard["start"] is None:
        return []
    values = f"{guard['figure']}: {format_value(guard['start'])} before training"
    if guard["stopped_at"] is None:
        return [f"{values}, {format_value(guard['latest'])} at the end"]
    return [
        f"{values}, {format_value(guard['latest'])} after step {guard['stopped_at']}, where the guard ended the "
        f"training; the weights are those of step {guard['kept_step']}"
    ]


def drop_intervals(names: Iterable[str]) -> list[str]:
    """Return the distinct names in order, without the intervals of metrics that are among them."""
    distinct = dict.fromkeys(names)
    return [name for name in distinct if not (name.endswith(INTERVAL) and name.removesuffix(INTERVAL) in distinct)]


def drop_strengths(names: Iterable[str]) -> list[str]:
    """Return the distinct names in order, without ``OP_s25`` if ``OP``, the mean over the strengths, is among them."""
    distinct = dict.fromkeys(names)
    return [name for name in distinct if parse_strength(name) is None or _STRENGTH.sub("", name) not in distinct]


def parse_strength(name: str) -> int | None:
    """Return the strength of a metric such as ``OP_s25`` in percent, or None for other metrics."""
    match = _STRENGTH.search(name)
    return int(match[1]) if match else None


def values_by_strength(metrics: Mapping[str, float], name: str) -> dict[int, float]:
    """Return the values of ``NAME_s…`` by strength in percent, in ascending order."""
    values = {
        parse_strength(other): value for other, value in metrics.items() if _STRENGTH.sub("", other) == name != other
    }
    return {strength: values[strength] for strength in sorted(strength for strength in values if strength is not None)}


def parse_label_counts(names: Iterable[str]) -> dict[str, dict[int, str]]:
    """Return metrics by the number of labels per class, ascending, by the prefix of their names.

    These are ``PREFIX_10`` and the like, if there is also ``PREFIX_all``.
    """
    distinct = dict.fromkeys(names)
    curves: dict[str, dict[int, str]] = {}
    for name in distinct:
        prefix, _, ending = name.rpartition("_")
        if ending.isdecimal() and int(ending) and f"{prefix}_all" in distinct:
            curves.setdefault(prefix, {})[int(ending)] = name
    return {prefix: dict(sorted(counts.items())) for prefix, counts in curves.items()}


def distance_names(profile: Iterable[str]) -> list[str]:
    """Return the names in an invariance profile that are mean distances: augmentations, their aspects, and groups."""
    return [
        name
        for name in dict.fromkeys(profile)
        if not name.endswith((INTERVAL, READBACK)) and parse_strength(name) is None
    ]


def invariances_of(name: str) -> tuple[str, ...]:
    """Return the invariances that an augmentation, an aspect (``affine_rotation``) or a group induces, if known."""
    if name in INVARIANCES:
        return (name,)
    owners = [info for info in installed().of_kind("augmentation") if f"{name}_".startswith(f"{info.name}_")]
    return max(owners, key=lambda info: len(info.name)).invariances if owners else ()
