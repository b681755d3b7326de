"""Plots of curves in a run's folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

import sslreg
from sslreg_curves.metrics import COLLAPSE, INTERVAL, Curve, drop_intervals

#: The largest number of panels. Further figures are only in metrics.csv.
MAX_PANELS = 24

#: The width and the height of a panel in inches.
WIDTH, HEIGHT = 4.0, 2.4

#: The margins of a panel's axes in inches: left, bottom, right, top.
MARGINS = (0.65, 0.35, 0.15, 0.35)

#: The largest number of points that are drawn with markers.
MAX_MARKERS = 40

#: The baselines in a run's summary that are drawn as lines, and their colors.
_BASELINES = {"starting": "tab:green", "untrained": "tab:orange", "raw_pixels": "tab:gray"}

#: The markers of values above and below the axis of a panel, by the mark of `sslreg.Axis`.
_MARKERS = {"▲": "^", "▼": "v"}

Baseline = Mapping[str, Mapping[str, float]]


def save_plots(folder: Path, curves: dict[str, Curve], baseline: Baseline) -> list[Path]:
    """Save ``curves`` and, if there are such figures, ``collapse``, each as PNG and SVG.

    Args:
        folder: The folder of the files.
        curves: The curves by name.
        baseline: Figures of the baselines, of which `_BASELINES` are drawn as lines in the panels of the same name.

    Returns:
        The paths of the files.
    """
    shown = drop_intervals(curves)
    collapse = [name for name in COLLAPSE if name in shown]
    others = [name for name in shown if name not in COLLAPSE][:MAX_PANELS]
    files = []
    for stem, names in (("curves", others), ("collapse", collapse)):
        if names:
            files += sslreg.save_figure(folder / stem, _build_figure(names, curves, baseline), font_size=9.0, dpi=110)
    return files


def _build_figure(names: list[str], curves: dict[str, Curve], baseline: Baseline) -> Figure:
    """Build a figure with one panel per name, all over the same steps."""
    last = max(step for name in names for step, _ in curves[name])
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(columns * WIDTH, rows * HEIGHT))
    for number, name in enumerate(names):
        # Computed here, because a layout engine draws everything several times to find the same positions.
        row, column = divmod(number, columns)
        left, bottom, right, top = MARGINS
        panel = figure.add_axes(
            (
                (column + left / WIDTH) / columns,
                1 - (row + 1 - bottom / HEIGHT) / rows,
                (1 - (left + right) / WIDTH) / columns,
                (1 - (bottom + top) / HEIGHT) / rows,
            )
        )
        _draw_panel(panel, name, curves, baseline)
        panel.set_xlim(0, 1.03 * max(last, 1))
    return figure


def _draw_panel(panel: Axes, name: str, curves: dict[str, Curve], baseline: Baseline) -> None:
    steps, values = zip(*curves[name], strict=True)
    levels = {subject: baseline[subject][name] for subject in _BASELINES if name in baseline.get(subject, {})}
    band = _interval_band(curves[name], dict(curves.get(f"{name}{INTERVAL}", [])))
    axis = sslreg.Axis.fit([*values, *levels.values(), *(end for _, low, high in band for end in (low, high))])
    clipped = [axis.clip(value) for value in values]
    panel.plot(steps, clipped, linewidth=1.2, marker="" if len(steps) > MAX_MARKERS else ".")
    _draw_band(panel, [(step, axis.clip(low), axis.clip(high)) for step, low, high in band])
    _draw_marks(panel, curves[name], axis)
    for subject, level in levels.items():
        label = f"{subject.replace('_', ' ')} {axis.mark(level)}".rstrip()
        panel.axhline(axis.clip(level), color=_BASELINES[subject], linestyle="--", linewidth=1.0, label=label)
    if panel.get_legend_handles_labels()[0]:
        panel.legend(fontsize="small", frameon=False)
    meaning = f" ({COLLAPSE[name]})" if name in COLLAPSE else ""
    panel.set_title(f"{name}{meaning}: {values[-1]:.4g}", parse_math=False, y=1.02, loc="left")
    panel.locator_params(nbins=4)
    panel.grid(alpha=0.25)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)


def _interval_band(curve: Curve, widths: Mapping[int, float]) -> list[tuple[int, float, float]]:
    """Return the steps and ends of a curve's confidence intervals."""
    return [(step, value - widths[step], value + widths[step]) for step, value in curve if step in widths]


def _draw_band(panel: Axes, band: list[tuple[int, float, float]]) -> None:
    if len(band) > 1:
        steps, low, high = zip(*band, strict=True)
        panel.fill_between(steps, low, high, alpha=0.2, linewidth=0)
    elif band:
        panel.vlines(*zip(*band, strict=True), alpha=0.4, linewidth=3)


def _draw_marks(panel: Axes, curve: Curve, axis: sslreg.Axis) -> None:
    """Mark the values of a curve beyond an axis at its ends."""
    for mark, shape in _MARKERS.items():
        points = [(step, axis.clip(value)) for step, value in curve if axis.mark(value) == mark]
        if points:
            panel.plot(*zip(*points, strict=True), shape, color="tab:red", markersize=5, clip_on=False)
