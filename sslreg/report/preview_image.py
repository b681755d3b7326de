"""A preview as one image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from PIL import Image, ImageDraw, ImageFont

from sslreg.report.drawing import FAINT, GAP, INK, MARGIN, PAPER, TILE, WRONG, choose_zoom, fit_image, scale_image
from sslreg.report.preview_data import PreviewData, Row

#: Font sizes in pixels.
_TITLE, _TEXT, _SMALL = 20, 14, 12

Color = tuple[int, int, int]


def draw_preview(preview: PreviewData, params: bool) -> Image.Image:
    """Draw a preview as an image: a row for each sample, the original first.

    Args:
        preview: The preview.
        params: Write what each operation drew under each view.
    """
    zoom = choose_zoom([side for row in preview.rows for tile in row.tiles for side in tile.picture.size])
    columns = 1 + len(preview.titles)
    width = 2 * MARGIN + columns * TILE + (columns - 1) * GAP
    sheet = _Sheet(width)
    sheet.write(f"{preview.name}: seed {preview.seed}, epoch {preview.epoch}", _TITLE)
    for note in preview.notes:
        sheet.write(note, _TEXT, FAINT)
    sheet.skip(GAP)
    sheet.write_columns([[title] for title in ("original", *preview.titles)], _TEXT, FAINT)
    sheet.skip(GAP // 2)
    for row in preview.rows:
        sheet.write(" · ".join(part for part in (row.name, row.label) if part), _TEXT)
        _draw_row(sheet, row, zoom, params)
        sheet.skip(GAP)
    return sheet.to_image()


def _draw_row(sheet: _Sheet, row: Row, zoom: float, params: bool) -> None:
    if row.error or row.original is None:
        sheet.write(f"cannot be shown: {row.error}", _TEXT, WRONG)
        return
    sheet.place_pictures([fit_image(row.original), *(scale_image(tile.picture, zoom) for tile in row.tiles)])
    sizes = [_format_size(row.original), *(_format_size(tile.picture) for tile in row.tiles)]
    sheet.write_columns([[size] for size in sizes], _SMALL, FAINT)
    if params:
        sheet.write_columns([[], *(tile.params for tile in row.tiles)], _SMALL, FAINT)


def _format_size(image: Image.Image) -> str:
    return f"{image.width} x {image.height}"


@dataclass
class _Sheet:
    """A sheet of fixed width that is filled from the top. It keeps its content until its height is known."""

    width: int
    top: int = MARGIN
    _texts: list[tuple[tuple[int, int], str, int, Color]] = field(default_factory=list)
    _pictures: list[tuple[tuple[int, int], Image.Image]] = field(default_factory=list)

    def skip(self, pixels: int) -> None:
        self.top += pixels

    def write(self, text: str, size: int, color: Color = INK) -> None:
        """Write a paragraph over the whole width."""
        self.top += self._add_paragraph(text, (MARGIN, self.top), self.width - 2 * MARGIN, size, color)

    def write_columns(self, columns: list[list[str]], size: int, color: Color) -> None:
        """Write paragraphs into each column."""
        heights = [0]
        for column, paragraphs in enumerate(columns):
            height = 0
            for text in paragraphs:
                height += self._add_paragraph(text, (_left(column), self.top + height), TILE, size, color)
            heights.append(height)
        self.top += max(heights)

    def place_pictures(self, pictures: list[Image.Image]) -> None:
        """Place a picture in each column, aligned at the bottom."""
        highest = max(picture.height for picture in pictures)
        for column, picture in enumerate(pictures):
            self._pictures.append(((_left(column), self.top + highest - picture.height), picture))
        self.top += highest + 4

    def to_image(self) -> Image.Image:
        image = Image.new("RGB", (self.width, self.top + MARGIN), PAPER)
        for position, picture in self._pictures:
            image.paste(picture, position)
        draw = ImageDraw.Draw(image)
        for position, text, size, color in self._texts:
            draw.text(position, text, color, ImageFont.load_default(size))
        return image

    def _add_paragraph(self, text: str, position: tuple[int, int], width: int, size: int, color: Color) -> int:
        """Add a paragraph and return its height."""
        line_height = round(size * 1.4)
        lines = list(_wrap(text, width, size))
        for number, line in enumerate(lines):
            self._texts.append(((position[0], position[1] + number * line_height), line, size, color))
        return len(lines) * line_height


def _left(column: int) -> int:
    return MARGIN + column * (TILE + GAP)


def _wrap(text: str, width: int, size: int) -> Iterator[str]:
    """Yield the lines of a text. A word that is longer than a line is broken."""
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
