"""Pictures of a study: the effects of its parameters, or its combinations, and its trials."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

import sslreg
from sslreg_tune.effects import Interval
from sslreg_tune.number_format import format_change, format_level
from sslreg_tune.results import Results, Trial

#: The colors of groups of effects, which are those of runs on the pages of reports.
COLORS = {"shape": "#1f5f99", "texture": "#b4500f", "color": "#2c7a3f", "other": "#86418f"}

#: The size of a picture in inches: its width, the height of a row, and of the title and the axis together.
_WIDTH, _ROW, _REST = 8.0, 0.3, 1.0

#: The width of a character of the labels in inches.
_CHARACTER = 0.085


@dataclass(frozen=True)
class _Row:
    """A row of a picture: a title, or an interval."""

    label: str
    color: str
    interval: Interval | None = None
    text: str = ""
    is_title: bool = False


def save_pictures(folder: Path, results: Results) -> list[Path]:
    """Save pictures as PNG and SVG: ``effects`` or ``combinations``, and ``trials``.

    Args:
        folder: The folder of the files.
        results: The results.

    Returns:
        The paths of the files. Without anything to show, there is no picture.
    """
    files = []
    if rows := list(_effect_rows(results)):
        files += sslreg.save_figure(folder / "effects", _draw_rows(rows, f"effects on {results.figure}", zero=True))
    if rows := list(_combination_rows(results)):
        files += sslreg.save_figure(folder / "combinations", _draw_rows(rows, results.figure, zero=False))
    if any(trial.figure is not None for trial in results.trials):
        files += sslreg.save_figure(folder / "trials", _draw_trials(results))
    return files


def list_judged(trials: Sequence[Trial]) -> list[tuple[float, float]]:
    """Return the numbers and figures of the trials that have one."""
    return [(trial.number, trial.figure) for trial in trials if trial.figure is not None]


def list_best(trials: Sequence[Trial], *, lowest: bool) -> list[tuple[float, float]]:
    """Return the best figure so far of the finished trials, by number."""
    finished = list_judged([trial for trial in trials if trial.state == "finished"])
    best = accumulate((figure for _, figure in finished), min if lowest else max)
    return [(number, figure) for (number, _), figure in zip(finished, best, strict=True)]


def _effect_rows(results: Results) -> Iterator[_Row]:
    if all(effect.estimate is None for effect in results.effects):
        return
    for group, effects in groupby(results.effects, key=lambda effect: effect.group):
        yield _Row(group, COLORS[group], is_title=True)
        for effect in effects:
            interval = effect.estimate
            text = effect.note if interval is None else format_change(interval.value, interval.half)
            yield _Row(effect.name, COLORS[group], interval, text)


def _combination_rows(results: Results) -> Iterator[_Row]:
    for combination in results.combinations:
        if combination.figure is not None:
            text = format_level(combination.figure.value, combination.figure.half)
            yield _Row(combination.change, COLORS["shape"], combination.figure, text)


def _draw_rows(rows: Sequence[_Row], title: str, *, zero: bool) -> Figure:
    """Draw a line for each row, from the first at the top, with labels on the left and texts on the right."""
    rows = [_Row(_shorten(row.label), row.color, row.interval, row.text, row.is_title) for row in rows]
    left = 0.3 + _CHARACTER * max(len(row.label) for row in rows)
    right = 0.3 + _CHARACTER * max(len(row.text) for row in rows)
    width, height = max(_WIDTH, left + right + 3.0), _REST + _ROW * len(rows)
    figure = Figure(figsize=(width, height))
    panel = figure.add_axes((left / width, 0.5 / height, 1 - (left + right) / width, 1 - _REST / height))
    for position, row in enumerate(rows):
        weight = "bold" if row.is_title else "normal"
        color = row.color if row.is_title else "black"
        place: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "va": "center"}
        panel.annotate(row.label, (0, position), (-8, 0), ha="right", color=color, weight=weight, **place)
        panel.annotate(row.text, (1, position), (8, 0), ha="left", **place)
        if row.interval is not None:
            shade = 1.0 if row.interval.excludes_zero or not zero else 0.45
            ends = row.interval.low, row.interval.high
            panel.plot(ends, (position, position), color=row.color, linewidth=5, alpha=0.45 * shade)
            panel.plot(row.interval.value, position, "o", color=row.color, alpha=shade)
    if zero:
        panel.axvline(0, color="black", linewidth=1, zorder=0)
    panel.set_ylim(len(rows) - 0.4, -0.6)
    panel.set_yticks([])
    panel.set_title(title, loc="left", fontsize=10)
    _tidy(panel, ("top", "right", "left"))
    return figure


def _draw_trials(results: Results) -> Figure:
    figure = Figure(figsize=(_WIDTH, 3.2))
    panel = figure.add_axes((0.1, 0.16, 0.87, 0.72))
    for state, marker in (("finished", "o"), ("pruned", "x")):
        points = list_judged([trial for trial in results.trials if trial.state == state])
        if points:
            panel.plot(*zip(*points, strict=True), marker, color=COLORS["shape"], alpha=0.7, label=state)
    if best := list_best(results.trials, lowest=results.lowest):
        panel.step(*zip(*best, strict=True), where="post", color=COLORS["texture"], label="best so far")
    panel.set_xlabel("trial")
    panel.set_title(results.figure, loc="left", fontsize=10)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.legend(fontsize="small", frameon=False)
    _tidy(panel, ("top", "right"))
    return figure


def _shorten(label: str) -> str:
    """Return a label that leaves space for the plot. The tables have it in full."""
    label = sslreg.escape_text(label)
    return label if len(label) <= 60 else f"{label[:59]}…"


def _tidy(panel: Axes, sides: Sequence[str]) -> None:
    panel.grid(alpha=0.25)
    for side in sides:
        panel.spines[side].set_visible(False)
