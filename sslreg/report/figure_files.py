"""Save figures of matplotlib as pictures."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sslreg.atomic_files import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def save_figure(stem: Path, figure: Figure, *, font_size: float = 10.0, dpi: int = 120) -> list[Path]:
    """Save a figure as PNG and SVG.

    Text remains text in SVG, dollar signs are no formulas, and equal figures give equal files.

    Args:
        stem: The path of the files without their suffix.
        figure: The figure.
        font_size: The size of text, in points, unless the figure sets it.
        dpi: The pixels per inch of the PNG.

    Raises:
        WriteError: If a file cannot be written.
    """
    from matplotlib import rc_context  # matplotlib takes most of a second to import

    settings: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": "sslreg",
        "font.size": font_size,
        "axes.titlesize": font_size,
        "text.parse_math": False,
    }
    files = []
    for kind, options in (("png", {"dpi": dpi}), ("svg", {"metadata": {"Date": None}})):
        path = stem.with_suffix(f".{kind}")
        with rc_context(settings), warnings.catch_warnings(), atomic_write(path) as draft:
            warnings.simplefilter("ignore")  # characters that the font lacks
            figure.savefig(draft, format=kind, **options)
        files.append(path)
    return files
