"""Training curves in the terminal and in the run's folder."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

import sslreg
from sslreg.cli import main
from sslreg_curves.figure import svg
from sslreg_curves.metrics import read_metrics
from sslreg_curves.terminal import lines

CURVES = {"loss": [(step, 8.0 - step) for step in range(1, 9)], "knn_top1": [(4, 0.25), (8, 0.75)]}


def test_metrics_are_read_by_name_with_their_steps(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(
        "step,epoch,loss,knn_top1\n1,0,7.0,\n2,0,nan,\n3,0,5.0,\n3,1,,0.5\n", encoding="utf-8"
    )
    assert read_metrics(tmp_path) == {"loss": [(1, 7.0), (3, 5.0)], "knn_top1": [(3, 0.5)]}


def test_a_line_shows_first_value_course_and_last_value() -> None:
    loss, knn = lines(CURVES, 8)
    assert loss.split() == ["loss", "7", "█▇▆▅▄▃▂▁", "0"]
    assert knn.split() == ["knn_top1", "0.25", "▁█", "0.75"]


def test_a_long_curve_is_averaged_into_the_width() -> None:
    (line,) = lines({"loss": [(step, float(step)) for step in range(1000)]}, 4)
    assert line.split()[2] == "▁▃▆█"


def test_a_flat_curve_is_no_division_by_zero() -> None:
    (line,) = lines({"loss": [(1, 2.0), (2, 2.0)]}, 10)
    assert line.split()[2] == "▁▁"


def test_the_figure_has_a_panel_for_each_curve_within_its_bounds() -> None:
    root = ElementTree.fromstring(svg({**CURVES, "a<b": [(8, 1.0)]}))
    space = "{http://www.w3.org/2000/svg}"
    polylines = root.findall(f"{space}polyline")
    assert len(polylines) == 3
    assert [text.text for text in root.findall(f"{space}text")][2] == "a<b: 1 at step 8, from 1 to 1"
    for polyline in polylines:
        for point in polyline.attrib["points"].split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= float(root.attrib["width"])
            assert 0 <= y <= float(root.attrib["height"])


def test_a_finished_run_has_its_figure(tiny_run: sslreg.Run) -> None:
    root = ElementTree.parse(tiny_run.path / "curves.svg").getroot()
    assert any("loss: " in (text.text or "") for text in root)


def test_the_command_shows_every_figure_of_a_run(
    tiny_run: sslreg.Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["sslreg", "curves", str(tiny_run.path)])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    shown = {line.split()[0] for line in capsys.readouterr().out.splitlines()}
    assert {"loss", "lr", "neighbors_top1"} <= shown


@pytest.mark.parametrize("content", [None, "step,epoch,loss\n"])
def test_what_is_no_run_or_has_no_figures_is_a_users_error(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "metrics.csv").write_text(content)
    with pytest.raises(sslreg.UserError, match=r"metrics\.csv"):
        read_metrics(tmp_path)
