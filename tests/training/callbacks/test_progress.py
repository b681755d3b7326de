"""The progress of a run, on terminals of any width and without one."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

import sslreg
from sslreg.spec import parse_spec
from sslreg.training.callbacks import progress
from sslreg.training.callbacks.progress import fit_figures, format_time_left


@pytest.mark.parametrize(
    ("seconds", "done", "steps", "text"),
    [
        (10.0, 5, 20, "0:00:30"),
        (3600.0, 100, 2500, "1 day, 0:00:00"),
        (7.0, 20, 20, "0:00:00"),
        (7.0, 0, 20, None),
        (7.0, 3, float("inf"), None),
    ],
)
def test_the_time_left_is_that_of_the_remaining_steps_at_the_pace_so_far(seconds, done, steps, text) -> None:
    assert format_time_left(seconds, done, steps) == text


def lines(spec: str, folder: Path, *overrides: str) -> list[str]:
    said = io.StringIO()
    overrides = ("evaluate=[{use: knn, every: 1}]", *overrides)
    sslreg.train(parse_spec(spec, "tiny.yaml", overrides), folder, console=Console(file=said, width=300))
    return [line for line in said.getvalue().splitlines() if line.startswith("epoch")]


def test_each_line_tells_how_much_time_is_left(tiny_spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY", 0.0)
    first, last = lines(tiny_spec, tmp_path / "run")
    assert re.search(r"^epoch 1/2  loss \d.*images/s  waiting .*  \d:\d\d:\d\d left$", first)
    assert last.endswith("0:00:00 left")
    assert "knn_top1" in last
    assert "effective_rank" not in last


def test_a_long_epoch_has_lines_too(tiny_spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LINE_WITHIN_EPOCH_EVERY", 0.0)
    assert len(lines(tiny_spec, tmp_path / "run", "trainer.max_epochs=1", "evaluate=[]")) == 21


FIGURES = [("epoch 1/2", 0), ("loss 3.1", 1), ("lr 0.1", 4), ("100 images/s", 2), ("knn_top1 0.911", 5)]


@pytest.mark.parametrize(
    ("width", "kept"),
    [
        (57, ["epoch 1/2", "loss 3.1", "lr 0.1", "100 images/s", "knn_top1 0.911"]),
        (56, ["epoch 1/2", "loss 3.1", "lr 0.1", "100 images/s"]),
        (40, ["epoch 1/2", "loss 3.1", "100 images/s"]),
        (20, ["epoch 1/2", "loss 3.1"]),
        (9, ["epoch 1/2"]),
        (1, ["epoch 1/2"]),
    ],
)
def test_the_least_important_figures_are_dropped_until_the_others_fit(width: int, kept: list[str]) -> None:
    assert fit_figures(FIGURES, width) == kept


@pytest.mark.parametrize("width", [40, 200])
def test_bar_and_time_left_stay_visible_whatever_the_evaluations_add(
    tiny_spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setattr(progress, "REFRESHES_PER_SECOND", 100)
    shown = io.StringIO()
    console = Console(file=shown, width=width, force_terminal=True, color_system=None)
    evaluate = [f"{{use: knn, every: 1, as: evaluator_with_a_long_name_{number}}}" for number in range(3)]
    overrides = [f"evaluate=[{', '.join(evaluate)}]"]
    sslreg.train(parse_spec(tiny_spec, "tiny.yaml", overrides), tmp_path / "run", console=console)
    bars = [line for line in re.split(r"[\r\n]", shown.getvalue()) if "━" in line and "epoch 2" in line]
    assert bars
    for line in bars:
        text = re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", line)
        assert len(text) <= width
        assert re.search(r" [━╸╺ ]{20} (\d:\d\d:\d\d|-:--:--) epoch 2/2", text), text
