"""The summary of a data set: as plain data, which JSON can hold, and as lines of text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

import sslreg
from sslreg_data.survey import Survey, find_duplicates

#: How many values, names or groups a line of text lists.
_LISTED = 4


def summarize(samples: sslreg.SampleDataset, survey: Survey) -> dict[str, Any]:
    """Return what is known of a data set.

    Returns:
        ``samples`` and ``examined`` are numbers of images. ``classes`` has the number of images of each class, and
        ``groups`` the number of groups; both are None if the data set has none. ``files``, ``channels`` and ``levels``
        count the readable images. ``size`` has the ``smallest``, ``median`` and ``largest`` height and width, and
        ``normalize`` the mean and the standard deviation of each channel in [0, 1], or None if channels differ.
        ``unreadable`` lists names and reasons, ``duplicates`` groups of names.
    """
    counts = samples.count_classes()
    levels = survey.measure_levels()
    return {
        "samples": len(samples),
        "examined": len(survey.readable) + len(survey.unreadable),
        "classes": None if counts is None else {samples.class_name(n): int(count) for n, count in enumerate(counts)},
        "groups": len({samples.group(row) for row in range(len(samples))}) if samples.has_groups else None,
        "files": dict(survey.count("kind").most_common()),
        "size": _summarize_sizes(survey),
        "channels": dict(_count_channels(survey).most_common()),
        "levels": dict(_count_depths(survey).most_common()),
        "transparent": sum(facts.is_transparent for facts in survey.readable),
        "normalize": None if levels is None else {"mean": _round(levels[0]), "std": _round(levels[1])},
        "unreadable": [{"name": each.name, "reason": each.reason} for each in survey.unreadable],
        "duplicates": find_duplicates([survey]),
    }


def _summarize_sizes(survey: Survey) -> dict[str, list[float]] | None:
    if not survey.readable:
        return None
    sides = np.array([facts.size for facts in survey.readable])
    return {
        "smallest": sides.min(axis=0).tolist(),
        "median": np.median(sides, axis=0).tolist(),
        "largest": sides.max(axis=0).tolist(),
    }


def _count_channels(survey: Survey) -> Counter[str]:
    counts: Counter[str] = Counter()
    for facts in survey.readable:
        meaning = {1: " (gray)", 3: " (gray, stored as color)" if facts.is_gray else " (color)"}
        counts[f"{facts.channels}{meaning.get(facts.channels, '')}{' and opacity' * facts.has_alpha}"] += 1
    return counts


def _count_depths(survey: Survey) -> Counter[str]:
    counts: Counter[str] = Counter()
    for facts in survey.readable:
        scale = facts.full_scale
        counts[facts.depth + ("" if scale is None else f", black {scale[0]:g} and white {scale[1]:g}")] += 1
    return counts


def _round(levels: Iterable[float]) -> list[float]:
    return [round(float(level), 3) for level in levels]


def format_dataset(role: str, summary: Mapping[str, Any]) -> str:
    """Return a line with the numbers of images, classes and groups of a data set."""
    parts = [f"{role}: {_format_number(summary['samples'], 'image')}"]
    if (classes := summary["classes"]) is not None:
        present = [count for count in classes.values() if count]
        each = f"{min(present):,}" if min(present) == max(present) else f"{min(present):,} to {max(present):,}"
        parts.append(f"{_format_number(len(present), 'class', 'classes')} of {each} images")
        if empty := len(classes) - len(present):
            parts.append(f"{_format_number(empty, 'class', 'classes')} without images")
    if summary["groups"] is not None:
        parts.append(_format_number(summary["groups"], "group"))
    if summary["examined"] < summary["samples"]:
        parts.append(f"{summary['examined']:,} of them examined (--all examines all)")
    return ", ".join(parts)


def format_findings(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield a title and a text for each finding."""
    if summary["size"] is not None:
        yield "files", _format_counts(summary["files"])
        yield "size", _format_sizes(summary["size"])
        yield "channels", _format_counts(summary["channels"])
        yield "levels", _format_counts(summary["levels"])
        if transparent := summary["transparent"]:
            yield "transparent", _format_number(transparent, "image")
        if (levels := summary["normalize"]) is None:
            yield "normalize", "images differ in their channels; --set data.channels=3 measures mean and deviation"
        else:
            yield "normalize", f"mean: {levels['mean']}, std: {levels['std']}"
    if unreadable := summary["unreadable"]:
        # A reason names the file. Libraries may append explanations in several lines.
        listed = [each["reason"].split("\n")[0] for each in unreadable[:_LISTED]]
        yield "unreadable", _join([_format_number(len(unreadable), "image"), *listed], len(unreadable), "\n")
    if groups := summary["duplicates"]:
        surplus = sum(len(names) - 1 for names in groups)
        repeat = "image repeats" if surplus == 1 else "images repeat"
        listed = [_join(names[:_LISTED], len(names), " = ") for names in groups[:_LISTED]]
        yield "duplicates", _join([f"{surplus:,} {repeat} another one", *listed], len(groups), "\n")


def _format_sizes(sizes: Mapping[str, Sequence[float]]) -> str:
    smallest, median, largest = ("{:g}x{:g}".format(*sizes[name]) for name in ("smallest", "median", "largest"))
    if smallest == largest:
        return f"{smallest} (height x width)"
    return f"median {median} (height x width), sides from {smallest} to {largest}"


def _format_counts(counts: Mapping[str, int]) -> str:
    if len(counts) == 1:
        return next(iter(counts))
    listed = [f"{value}: {count:,}" for value, count in counts.items()]
    return _join(listed[:_LISTED], len(listed), "; ")


def _format_number(number: int, noun: str, plural: str | None = None) -> str:
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def _join(listed: Sequence[str], count: int, separator: str) -> str:
    """Join texts, with an ellipsis if there are more than a line of text lists."""
    return separator.join([*listed, *["…"] * (count > _LISTED)])
