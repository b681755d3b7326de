"""The progress of evaluations: a bar on a terminal, a line for each part elsewhere."""

from __future__ import annotations

import io

from rich.console import Console

from sslreg.evaluation.progress import EvaluationProgress


def show(console: Console) -> None:
    progress = EvaluationProgress()
    with progress.show(console):
        progress.subject = "raw pixels"
        for done in range(3):
            progress.report("embedding images", done, 2)
        progress.report("linear", 0, 2)
        progress.report("knn", 1, 2)
    progress.report("knn", 2, 2)


def test_each_part_is_a_line_without_a_terminal() -> None:
    stream = io.StringIO()
    show(Console(file=stream))
    assert stream.getvalue().splitlines() == [
        "  raw pixels: embedding images",
        "  raw pixels: linear",
        "  raw pixels: knn",
    ]


def test_a_terminal_shows_a_bar_with_the_part_and_its_position() -> None:
    stream = io.StringIO()
    progress = EvaluationProgress("untrained backbone")
    with progress.show(Console(file=stream, force_terminal=True, width=100)):
        progress.report("linear [x]", 1, 3)
        assert progress._bar is not None
        progress._bar.refresh()
    assert "1/3" in stream.getvalue()
    assert "untrained backbone: linear [x]" in stream.getvalue()


def test_nothing_is_shown_without_a_console() -> None:
    progress = EvaluationProgress()
    with progress.show(None):
        progress.report("linear", 0, 1)
