"""Figures are saved as PNG and SVG."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

import sslreg


def draw() -> Figure:
    figure = Figure(figsize=(2, 1))
    figure.subplots().set_title("costs $5 and $6")
    return figure


def test_equal_figures_give_equal_files_with_their_text(tmp_path: Path) -> None:
    first, second = (sslreg.save_figure(tmp_path / name, draw(), dpi=50) for name in "ab")
    assert [path.name for path in first] == ["a.png", "a.svg"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    with Image.open(first[0]) as picture:
        assert picture.size == (100, 50)
    assert "costs $5 and $6" in first[1].read_text(encoding="utf-8")
