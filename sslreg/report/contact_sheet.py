"""Contact sheets: pictures next to each other with lines of text below them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from sslreg.assembly import ImageLoader
from sslreg.atomic_files import atomic_write
from sslreg.contracts import ImageLike
from sslreg.report.denormalization import to_pil_image
from sslreg.report.drawing import FAINT, GAP, INK, MARGIN, PAPER, TILE, fit_image
from sslreg.report.html_pages import render_page
from sslreg.report.output_path import PAGES

#: The number of tiles in a row, and the height of a line of text in pixels.
COLUMNS, LINE = 5, 18


@dataclass(frozen=True)
class Tile:
    """A picture and the lines of text below it."""

    picture: Image.Image
    lines: tuple[str, ...]


def make_tile(image: ImageLike, load: ImageLoader, *lines: str) -> Tile:
    """Make a tile of an image.

    Raises:
        UserError: The image cannot be read.
    """
    return Tile(fit_image(to_pil_image(load(image))), lines)


def write_contact_sheet(path: Path, title: str, tiles: Sequence[Tile]) -> None:
    """Write tiles in order, as an HTML page if the name ends in .html and as an image otherwise."""
    with atomic_write(path) as draft:
        if path.suffix.lower() in PAGES:
            draft.write_text(render_page("contact_sheet.html", title=title, tiles=tiles), encoding="utf-8")
        else:
            _draw_sheet(title, tiles).save(draft, Image.registered_extensions()[path.suffix.lower()])


def _draw_sheet(title: str, tiles: Sequence[Tile]) -> Image.Image:
    columns = min(COLUMNS, len(tiles))
    row_height = TILE + LINE * max(len(tile.lines) for tile in tiles) + GAP
    rows = -(-len(tiles) // columns)
    size = 2 * MARGIN + columns * (TILE + GAP) - GAP, 2 * MARGIN + 2 * LINE + rows * row_height
    sheet = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, MARGIN), title, INK, ImageFont.load_default(LINE))
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        left, top = MARGIN + column * (TILE + GAP), MARGIN + 2 * LINE + row * row_height
        sheet.paste(tile.picture, (left, top + TILE - tile.picture.height))
        for line, text in enumerate(tile.lines):
            color = FAINT if line else INK
            draw.text((left, top + TILE + 4 + LINE * line), _truncate(text), color, ImageFont.load_default(LINE - 5))
    return sheet


def _truncate(text: str) -> str:
    """Cut the start of a text so that it fits a tile's width. Paths differ at their ends."""
    font = ImageFont.load_default(LINE - 5)
    if font.getlength(text) <= TILE:
        return text
    start = next(n for n in range(1, len(text) + 1) if font.getlength(f"…{text[n:]}") <= TILE)
    return f"…{text[start:]}"
