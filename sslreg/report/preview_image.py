"""A preview as one image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from PIL import Image, ImageDraw, ImageFont

from sslreg.report.view_preview import Preview, Row

#: Pixels: the side of the largest view, the gap between tiles, the margin around all, the widths of columns.
TILE, GAP, MARGIN = 160, 16, 24
INK, FAINT, WRONG, PAPER = (28, 32, 38), (96, 104, 114), (164, 38, 44), (255, 255, 255)

_TITLE, _TEXT, _SMALL = 20, 14, 12


def zoom_of(sides: list[int], tile: int = TILE) -> float:
    """How much views are enlarged, all alike, so that the largest of these sides fills a tile.

    What is enlarged keeps its pixels square and of one size, so its zoom is a whole number.
    """
    largest = max(sides)
    return tile / largest if largest > tile else float(tile // largest)


def scaled(image: Image.Image, zoom: float) -> Image.Image:
    """An image enlarged with its pixels as squares, or reduced smoothly."""
    size = (max(1, round(image.width * zoom)), max(1, round(image.height * zoom)))
    return image.resize(size, Image.Resampling.NEAREST if zoom >= 1 else Image.Resampling.LANCZOS)


def reduced(image: Image.Image, side: int) -> Image.Image:
    """An image whose larger side has at most so many pixels."""
    return image if max(image.size) <= side else scaled(image, side / max(image.size))


def fitted(image: Image.Image, tile: int = TILE) -> Image.Image:
    """An image as large as a tile takes it."""
    return scaled(image, zoom_of([image.width, image.height], tile))


def drawn_grid(preview: Preview, params: bool) -> Image.Image:
    """See `Preview.picture`."""
    zoom = zoom_of([side for row in preview.rows for tile in row.tiles for side in tile.picture.size])
    columns = 1 + len(preview.titles)
    width = 2 * MARGIN + columns * TILE + (columns - 1) * GAP
    sheet = _Sheet(width)
    sheet.write(f"{preview.name}: seed {preview.seed}, epoch {preview.epoch}", _TITLE)
    for note in preview.notes:
        sheet.write(note, _TEXT, FAINT)
    sheet.skip(GAP)
    sheet.cells([[title] for title in ("original", *preview.titles)], _TEXT, FAINT)
    sheet.skip(GAP // 2)
    for row in preview.rows:
        sheet.write(" · ".join(part for part in (row.name, row.label) if part), _TEXT)
        _draw_row(sheet, row, zoom, params)
        sheet.skip(GAP)
    return sheet.image()


def _draw_row(sheet: _Sheet, row: Row, zoom: float, params: bool) -> None:
    if row.broken or row.original is None:
        sheet.write(f"cannot be shown: {row.broken}", _TEXT, WRONG)
        return
    shown = [fitted(row.original), *(scaled(tile.picture, zoom) for tile in row.tiles)]
    sheet.pictures(shown)
    sizes = [_size(row.original), *(_size(tile.picture) for tile in row.tiles)]
    sheet.cells([[size] for size in sizes], _SMALL, FAINT)
    if params:
        sheet.cells([[], *(tile.drawn for tile in row.tiles)], _SMALL, FAINT)


def _size(image: Image.Image) -> str:
    return f"{image.width} x {image.height}"


@dataclass
class _Sheet:
    """Paper of a fixed width that is filled from the top; what is put on it is kept until its height is known."""

    width: int
    top: int = MARGIN
    _texts: list[tuple[tuple[int, int], str, int, tuple[int, int, int]]] = field(default_factory=list)
    _pictures: list[tuple[tuple[int, int], Image.Image]] = field(default_factory=list)

    def skip(self, pixels: int) -> None:
        self.top += pixels

    def write(self, text: str, size: int, color: tuple[int, int, int] = INK) -> None:
        """A paragraph over the whole width."""
        self.top += self._paragraph(text, (MARGIN, self.top), self.width - 2 * MARGIN, size, color)

    def cells(self, cells: list[list[str]], size: int, color: tuple[int, int, int]) -> None:
        """Paragraphs in each column."""
        heights = [0]
        for column, paragraphs in enumerate(cells):
            height = 0
            for text in paragraphs:
                height += self._paragraph(text, (_left(column), self.top + height), TILE, size, color)
            heights.append(height)
        self.top += max(heights)

    def pictures(self, pictures: list[Image.Image]) -> None:
        """A picture in each column, their feet on one line."""
        highest = max(picture.height for picture in pictures)
        for column, picture in enumerate(pictures):
            self._pictures.append(((_left(column), self.top + highest - picture.height), picture))
        self.top += highest + 4

    def _paragraph(self, text: str, at: tuple[int, int], width: int, size: int, color: tuple[int, int, int]) -> int:
        """Its height."""
        line_height = round(size * 1.4)
        lines = list(_wrapped(text, width, size))
        for number, line in enumerate(lines):
            self._texts.append(((at[0], at[1] + number * line_height), line, size, color))
        return len(lines) * line_height

    def image(self) -> Image.Image:
        sheet = Image.new("RGB", (self.width, self.top + MARGIN), PAPER)
        for at, picture in self._pictures:
            sheet.paste(picture, at)
        draw = ImageDraw.Draw(sheet)
        for at, text, size, color in self._texts:
            draw.text(at, text, color, ImageFont.load_default(size))
        return sheet


def _left(column: int) -> int:
    return MARGIN + column * (TILE + GAP)


def _wrapped(text: str, width: int, size: int) -> Iterator[str]:
    """The lines of a text; a word that is longer than a line is broken."""
    font = ImageFont.load_default(size)
    line = ""
    for word in text.split():
        candidate = f"{line} {word}" if line else word
        if font.getlength(candidate) <= width:
            line = candidate
            continue
        if line:
            yield line
        while font.getlength(word) > width:
            fits = next(n for n in range(len(word), 0, -1) if n == 1 or font.getlength(word[:n]) <= width)
            yield word[:fits]
            word = word[fits:]
        line = word
    if line:
        yield line
