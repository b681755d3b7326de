"""Pictures beside each other with what there is to say of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from sslreg.contracts import ImageLike
from sslreg.images import load_image
from sslreg.report.denormalization import picture
from sslreg.report.html_pages import page
from sslreg.report.preview_image import FAINT, GAP, INK, MARGIN, PAPER, TILE, fitted

#: Tiles in a row, and the height in pixels of a line below one.
COLUMNS, LINE = 5, 18


@dataclass(frozen=True)
class Tile:
    """A picture and the lines below it."""

    picture: Image.Image
    lines: tuple[str, ...]


def tile(image: ImageLike, channels: int, *lines: str) -> Tile:
    """A tile of an image that is brought to so many channels. UserError: it cannot be read."""
    return Tile(fitted(picture(load_image(image, channels))), lines)


def write_contact_sheet(path: Path, title: str, tiles: Sequence[Tile]) -> None:
    """Draw tiles, the first of them first, as an image or, by the file's name, as a page of one file (.html)."""
    if path.suffix.lower() in (".html", ".htm"):
        path.write_text(page("contact_sheet.html", title=title, tiles=tiles), encoding="utf-8")
    else:
        _drawn(title, tiles).save(path)


def _drawn(title: str, tiles: Sequence[Tile]) -> Image.Image:
    columns = min(COLUMNS, len(tiles))
    heights = TILE + LINE * max(len(each.lines) for each in tiles) + GAP
    rows = -(-len(tiles) // columns)
    size = 2 * MARGIN + columns * (TILE + GAP) - GAP, 2 * MARGIN + 2 * LINE + rows * heights
    sheet = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, MARGIN), title, INK, ImageFont.load_default(LINE))
    for number, each in enumerate(tiles):
        row, column = divmod(number, columns)
        left, top = MARGIN + column * (TILE + GAP), MARGIN + 2 * LINE + row * heights
        sheet.paste(each.picture, (left, top + TILE - each.picture.height))
        for line, text in enumerate(each.lines):
            color = FAINT if line else INK
            draw.text((left, top + TILE + 4 + LINE * line), _cut(text), color, ImageFont.load_default(LINE - 5))
    return sheet


def _cut(text: str) -> str:
    """As much of the text's end as a tile is wide: paths differ there."""
    font = ImageFont.load_default(LINE - 5)
    if font.getlength(text) <= TILE:
        return text
    start = next(n for n in range(1, len(text) + 1) if font.getlength(f"…{text[n:]}") <= TILE)
    return f"…{text[start:]}"
