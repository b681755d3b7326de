"""Training curves in the terminal and in the run's folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

import sslreg
from sslreg.cli import main
from sslreg_curves.metrics import COLLAPSE, Curve, read_metrics, select_results
from sslreg_curves.plots import _build_figure, save_plots
from sslreg_curves.terminal import format_curves

CURVES: dict[str, Curve] = {"loss": [(step, 8.0 - step) for step in range(1, 9)], "knn_top1": [(4, 0.25), (8, 0.75)]}
INTERVALS: dict[str, Curve] = {"knn_top1_ci": [(4, 0.05), (8, 0.02)]}


def test_metrics_are_read_by_name_with_their_steps(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(
        "step,epoch,loss,knn_top1,note\n1,0,7.0,,\n2,0,nan,,odd\n3,0,5.0,,\n3,1,,0.5,\n", encoding="utf-8"
    )
    assert read_metrics(tmp_path) == {"loss": [(1, 7.0), (3, 5.0)], "knn_top1": [(3, 0.5)]}


def test_a_line_that_is_being_written_is_left_for_later(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("step,epoch,loss\n1,0,7.0\n12,0,6.", encoding="utf-8")
    assert read_metrics(tmp_path) == {"loss": [(1, 7.0)]}


def test_a_line_shows_first_value_course_and_last_value() -> None:
    loss, knn = format_curves({**CURVES, **INTERVALS}, 8)
    assert loss.split() == ["loss", "7", "█▇▆▅▄▃▂▁", "0"]
    assert knn.split() == ["knn_top1", "0.25", "▁█", "0.75"]


def test_a_long_curve_is_averaged_into_the_width() -> None:
    (line,) = format_curves({"loss": [(step, float(step)) for step in range(1000)]}, 4)
    assert line.split()[2] == "▁▃▆█"


def test_a_flat_curve_is_no_division_by_zero() -> None:
    (line,) = format_curves({"loss": [(1, 2.0), (2, 2.0)]}, 10)
    assert line.split()[2] == "▁▁"


def test_extreme_values_are_marked_and_do_not_flatten_a_curve() -> None:
    spiked, fallen = format_curves(
        {"loss": [*CURVES["loss"], (9, 1e30)], "top1": [(1, -1e30), (2, 0.1), (3, 0.2), (4, 0.3)]}, 9
    )
    assert spiked.split() == ["loss", "7", "█▇▆▅▄▃▂▁▲", "1e+30"]
    assert fallen.split() == ["top1", "-1e+30", "▼▁▅█", "0.3"]


def test_extreme_values_are_marked_and_do_not_flatten_a_panel(tmp_path: Path) -> None:
    curve = [*CURVES["loss"], (9, 1e30)]
    figure = _build_figure(["loss"], {"loss": curve, "loss_ci": [(1, 1e29), (2, 0.1)]}, {"untrained": {"loss": -1e300}})
    (panel,) = figure.axes
    assert -2 < panel.get_ylim()[0] < panel.get_ylim()[1] < 9
    assert [line.get_marker() for line in panel.lines if line.get_marker() in ("^", "v")] == ["^"]
    assert panel.get_legend_handles_labels()[1] == ["untrained ▼"]
    save_plots(tmp_path, {"loss": curve, "all": [(1, 1.7e308), (2, -1.7e308)]}, {})


def test_a_summary_has_the_loss_and_evaluations_that_took_a_course() -> None:
    curves = {**CURVES, **INTERVALS, "lr": CURVES["loss"], "effective_rank": CURVES["loss"], "few_shot_1": [(8, 0.5)]}
    assert list(select_results(curves)) == ["loss", "knn_top1"]
    assert len(select_results({str(number): CURVES["loss"] for number in range(20)})) == 8


def texts(path: Path) -> list[str]:
    """Return the texts in an SVG."""
    return ["".join(text.itertext()) for text in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")]


def test_a_figure_has_a_panel_for_each_curve_and_levels_for_the_baselines(tmp_path: Path) -> None:
    odd = {"a<b $x": [(8, 1.0)], "名": [(1, 1.0)]}
    files = save_plots(tmp_path, {**CURVES, **INTERVALS, **odd}, {"untrained": {"knn_top1": 0.2}, "raw_pixels": {}})
    assert [path.name for path in files] == ["curves.png", "curves.svg"] == sorted(p.name for p in tmp_path.iterdir())
    said = texts(tmp_path / "curves.svg")
    assert {"loss: 0", "knn_top1: 0.75", "a<b $x: 1", "名: 1", "untrained"} <= set(said)
    assert not any("_ci" in text or "raw" in text for text in said)
    pixels = np.asarray(Image.open(tmp_path / "curves.png").convert("L"))
    assert pixels.min() < 100 < 240 < pixels.max()


def test_equal_curves_give_equal_files(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        save_plots(tmp_path / name, CURVES, {})
    assert (tmp_path / "one" / "curves.svg").read_bytes() == (tmp_path / "two" / "curves.svg").read_bytes()


def test_what_tells_of_a_collapse_has_a_figure_of_its_own(tmp_path: Path) -> None:
    files = save_plots(tmp_path, {**CURVES, **dict.fromkeys(COLLAPSE, CURVES["loss"])}, {})
    assert [path.name for path in files] == ["curves.png", "curves.svg", "collapse.png", "collapse.svg"]
    assert "embedding_std (1 spread, 0 one point): 0" in texts(tmp_path / "collapse.svg")
    assert not any("embedding_std" in text for text in texts(tmp_path / "curves.svg"))


def test_hundreds_of_figures_make_no_endless_picture(tmp_path: Path) -> None:
    save_plots(tmp_path, {f"figure {number}": [(1, 1.0), (2, 2.0)] for number in range(40)}, {})
    assert len([text for text in texts(tmp_path / "curves.svg") if text.startswith("figure")]) == 24


def test_a_finished_run_has_its_figures(tiny_run: sslreg.Run) -> None:
    assert any(text.startswith("loss: ") for text in texts(tiny_run.path / "curves.svg"))
    assert "untrained" in texts(tiny_run.path / "curves.svg")
    assert (tiny_run.path / "curves.png").stat().st_size > 5000


def test_the_command_shows_every_figure_of_a_run(
    tiny_run: sslreg.Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["sslreg", "curves", str(tiny_run.path)])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    shown = {line.split()[0] for line in capsys.readouterr().out.splitlines()}
    assert {"loss", "lr", "neighbors_top1"} <= shown


def test_showing_curves_in_the_terminal_draws_no_picture(tiny_run: sslreg.Run) -> None:
    program = (
        f"import sys; sys.argv = ['sslreg', 'curves', {str(tiny_run.path)!r}]\n"
        "from sslreg.cli import main\n"
        "try: main()\n"
        "except SystemExit: sys.exit('matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize("content", [None, "step,epoch,loss\n"])
def test_what_is_no_run_or_has_no_figures_is_a_users_error(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "metrics.csv").write_text(content)
    with pytest.raises(sslreg.UserError, match=r"metrics\.csv"):
        read_metrics(tmp_path)
