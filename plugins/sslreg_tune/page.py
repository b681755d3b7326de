"""The page of a study: one HTML file that loads nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sslreg
from sslreg_tune.effects import Effect, Interval
from sslreg_tune.final import FinalComparison
from sslreg_tune.number_format import format_change, format_level
from sslreg_tune.pictures import COLORS, list_best, list_judged
from sslreg_tune.results import Results, Trial
from sslreg_tune.tables import describe_intervals, find_common_reason, format_counts

#: The CSS classes of the colors of groups of effects.
_STYLES = {group: f"run-{number}" for number, group in enumerate(COLORS)}

#: The width of the plots of intervals. The page stretches them, so it is a resolution and not pixels.
_WIDTH = 1000


@dataclass(frozen=True)
class Bar:
    """An interval in the plot of a row.

    Attributes:
        label: The name of the row.
        detail: What the row is about in smaller letters; may be empty.
        text: The estimate, as text.
        verdict: What the interval says about it; may be empty.
        note: What else there is to say; may be empty.
        style: The CSS class of its color.
        is_clear: Whether the interval excludes zero.
        low, value, high: The positions of the interval and its middle in the plot; None without an estimate.
    """

    label: str
    detail: str
    text: str
    verdict: str
    note: str
    style: str
    is_clear: bool
    low: int | None = None
    value: int | None = None
    high: int | None = None


@dataclass(frozen=True)
class Plot:
    """Rows of intervals on one axis.

    Attributes:
        groups: The rows by the titles of their groups, which may be empty.
        zero: The position of zero; None if it is not on the axis.
    """

    groups: Sequence[tuple[str, Sequence[Bar]]]
    zero: int | None


def write_page(folder: Path, results: Results) -> Path:
    """Write report.html, and return its path."""
    path = folder / "report.html"
    with sslreg.atomic_write(path) as draft:
        draft.write_text(render_results(results, _read_best_spec(folder)), encoding="utf-8")
    return path


def render_results(results: Results, best_spec: str | None) -> str:
    """Render the page of a study.

    Args:
        results: The results.
        best_spec: The text of best.yaml; None if there is none.
    """
    return sslreg.render_page(
        "study.html",
        "sslreg_tune",
        results=results,
        counts=format_counts(results),
        explanation=describe_intervals(results),
        effects=_plot_effects(results.effects) if find_common_reason(results.effects) is None else None,
        unknown_effects=find_common_reason(results.effects),
        combinations=_plot_combinations(results) if results.combinations else None,
        curve=_chart_trials(results),
        trials=[_describe_trial(results, trial) for trial in results.trials],
        final=None if results.final is None else _tabulate_final(results.final),
        profile=None if results.final is None else _build_profile(results.final),
        best_spec=best_spec,
    )


def _read_best_spec(folder: Path) -> str | None:
    try:
        return (folder / "best.yaml").read_text(encoding="utf-8")
    except OSError:
        return None


def _plot_effects(effects: Sequence[Effect]) -> Plot:
    axis = _fit_axis([effect.estimate for effect in effects], [0.0])
    groups = groupby(effects, key=lambda effect: effect.group)
    return Plot([(group, [_effect_bar(effect, axis) for effect in own]) for group, own in groups], _position(0.0, axis))


def _effect_bar(effect: Effect, axis: sslreg.Axis) -> Bar:
    interval = effect.estimate
    return Bar(
        effect.name,
        "" if effect.change == "off → on" else effect.change,
        "not known" if interval is None else format_change(interval.value, interval.half),
        effect.verdict or "",
        effect.note,
        _STYLES[effect.group],
        interval is not None and interval.excludes_zero,
        *_positions(interval, axis),
    )


def _plot_combinations(results: Results) -> Plot:
    axis = _fit_axis([combination.figure for combination in results.combinations], [])
    bars = []
    for combination in results.combinations:
        figure, count = combination.figure, len(combination.seeds)
        text = "not known" if figure is None else format_level(figure.value, figure.half)
        seeds = f"{count} seed{'' if count == 1 else 's'}"
        bars.append(Bar(combination.change, "", text, seeds, "", _STYLES["shape"], True, *_positions(figure, axis)))
    return Plot([("", bars)], None)


def _fit_axis(intervals: Sequence[Interval | None], others: Sequence[float]) -> sslreg.Axis:
    ends = [end for interval in intervals if interval is not None for end in (interval.low, interval.high)]
    values = [*ends, *others] or [0.0]
    return sslreg.Axis(min(values), max(values))


def _positions(interval: Interval | None, axis: sslreg.Axis) -> Iterator[int]:
    if interval is not None:
        yield from (_position(value, axis) for value in (interval.low, interval.value, interval.high))


def _position(value: float, axis: sslreg.Axis) -> int:
    # Marks at the ends of the axis keep a distance from the edge.
    return round(_WIDTH * (0.02 + 0.96 * axis.position(value)))


def _chart_trials(results: Results) -> Any:
    """Return a chart of the trials with a line of the best so far; None without figures."""
    curves = {("best so far", _STYLES["texture"]): _add_steps(list_best(results.trials, lowest=results.lowest))}
    dots = {
        ("finished", _STYLES["shape"]): [trial for trial in results.trials if trial.state == "finished"],
        ("pruned (estimate)", _STYLES["other"]): [trial for trial in results.trials if trial.state == "pruned"],
    }
    curves |= {key: list_judged(trials) for key, trials in dots.items()}
    shown = {key: curve for key, curve in curves.items() if curve}
    return sslreg.build_chart(results.figure, shown, "trial", dotted=[*dots]) if shown else None


def _add_steps(curve: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return a curve that keeps each value until the next one."""
    steps = [[(right, value), (right, following)] for (_, value), (right, following) in pairwise(curve)]
    return [*curve[:1], *(point for step in steps for point in step)]


def _describe_trial(results: Results, trial: Trial) -> dict[str, Any]:
    """Return what the table shows of a trial."""
    figure = "" if trial.figure is None else format_level(trial.figure)
    change = f"{trial.change}, seed {trial.seed}" if results.combinations else trial.change
    return {
        "number": trial.number,
        "link": quote(trial.path.encode("utf-8", "surrogateescape"), safe="/"),
        "state": trial.state,
        "figure": f"about {figure}" if trial.state == "pruned" and figure else figure,
        "change": change if trial.reason is None else f"{change}: {trial.reason}",
        "is_best": results.best is not None and trial.number == results.best.number,
    }


def _tabulate_final(final: FinalComparison) -> sslreg.PageTable:
    rows = [
        ("starting spec", [format_level(final.start.value, final.start.half)]),
        ("winner", [format_level(final.best.value, final.best.half)]),
        ("difference", [format_change(final.difference.value, final.difference.half)]),
        ("seeds", [", ".join(map(str, final.seeds))]),
    ]
    return sslreg.PageTable([final.figure], rows, [])


def _build_profile(final: FinalComparison) -> Any:
    """Return the invariance profiles of the starting spec and the winner; None without them."""
    if not final.profiles:
        return None
    return sslreg.build_profile(
        [
            sslreg.ProfileSubject("starting spec", "run-0", final.profiles["start"]),
            sslreg.ProfileSubject("winner", "run-1", final.profiles["best"]),
        ]
    )
