"""The progress of a run without a terminal."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

import sslreg
from sslreg.spec import parse_spec
from sslreg.training.callbacks import progress
from sslreg.training.callbacks.progress import format_time_left


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
