"""Sizes, colors and scaling of the images that previews and contact sheets draw."""

from __future__ import annotations

from PIL import Image

#: In pixels: the side of the largest view, the gap between tiles, and the margin of the sheet.
TILE, GAP, MARGIN = 160, 16, 24
INK, FAINT, WRONG, PAPER = (28, 32, 38), (96, 104, 114), (164, 38, 44), (255, 255, 255)


def choose_zoom(sides: list[int], tile: int = TILE) -> float:
    """Return the common zoom of views with which the largest of their sides fills a tile.

    An enlarged view keeps square pixels of equal size, so a zoom above 1 is a whole number.
    """
    largest = max(sides)
    return tile / largest if largest > tile else float(tile // largest)


def scale_image(image: Image.Image, zoom: float) -> Image.Image:
    """Enlarge an image with square pixels, or reduce it smoothly."""
    size = (max(1, round(image.width * zoom)), max(1, round(image.height * zoom)))
    return image.resize(size, Image.Resampling.NEAREST if zoom >= 1 else Image.Resampling.LANCZOS)


def shrink_image(image: Image.Image, side: int) -> Image.Image:
    """Reduce an image whose larger side has more than `side` pixels to that size."""
    return image if max(image.size) <= side else scale_image(image, side / max(image.size))


def fit_image(image: Image.Image, tile: int = TILE) -> Image.Image:
    """Scale an image to the size of a tile."""
    return scale_image(image, choose_zoom([image.width, image.height], tile))
