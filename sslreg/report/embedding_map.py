"""The map of embeddings: a projection to the plane, with thumbnails of the images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from markupsafe import Markup
from PIL import Image, ImageOps
from torch import Tensor

from sslreg.report.embedded_images import Picture
from sslreg.report.html_pages import data_uri

#: The size of a map, in the units of its points.
WIDTH, HEIGHT, MARGIN = 640, 480, 12

#: Sides of a thumbnail in pixels, each with WebP's quality, from the best. The first that fits is used.
_SIZES = ((48, 60), (40, 50), (32, 40), (24, 35))

#: The number of colors of classes in the style sheet. Classes beyond it have another shape.
COLORS = 10

#: The shapes of marks: dot, square, plus, triangle, cross, diamond.
_MARKS = (
    *("h0", "m-2.5 -2.5h5v5h-5z", "m-3 0h6m-3 -3v6", "m0 -3.5l3 5.5h-6z", "m-2.5 -2.5l5 5m0 -5l-5 5"),
    "m0 -3.5l3.5 3.5l-3.5 3.5l-3.5 -3.5z",
)

#: t-SNE needs several neighbors for each point.
_FEWEST = 12


@dataclass(frozen=True)
class EmbeddingMap:
    """Points in the plane, grouped by class.

    Attributes:
        classes: For each class its name (None without labels) and the rows of its points.
        points: The coordinates of each row.
        method: The projection, as a sentence.
        distinct_marks: The number of classes whose marks differ in color or shape.
    """

    classes: list[tuple[str | None, list[int]]]
    points: list[tuple[float, float]]
    method: str
    distinct_marks: int = COLORS * len(_MARKS)

    def mark(self, number: int) -> str:
        """Return what draws the mark of a class after a move to its center: a path in SVG."""
        return _MARKS[number // COLORS % len(_MARKS)]


@dataclass(frozen=True)
class Sprite:
    """Thumbnails in one image, row by row.

    Attributes:
        uri: The data URI of the image.
        side: The side of a thumbnail in pixels of the image.
        columns: The number of thumbnails in a row.
        rows: The number of rows.
    """

    uri: Markup
    side: int
    columns: int
    rows: int


def map_embeddings(features: Tensor, labels: Sequence[str | None], *, tsne: bool = True) -> EmbeddingMap:
    """Project embeddings to the plane, always in the same way.

    Args:
        features: The embeddings (N, D), as unit vectors on the CPU.
        labels: The names of their N classes, None without labels.
        tsne: Whether to make a t-SNE if there are enough points. Otherwise, and for fewer than 12 points, the axes are
            principal components, which take a fraction of the time.
    """
    points, method = _project(features, tsne)
    rows: dict[str | None, list[int]] = {}
    for row, label in enumerate(labels):
        rows.setdefault(label, []).append(row)
    classes = sorted(rows.items(), key=lambda entry: (len(entry[0] or ""), entry[0] or ""))
    return EmbeddingMap(classes, points, method)


def _project(features: Tensor, tsne: bool) -> tuple[list[tuple[float, float]], str]:
    """Project unit vectors (N, D) to points (N, 2) and describe the method."""
    if len(features) < _FEWEST or not tsne:
        centered = (features - features.mean(0)).double()
        # R has the same components as the points, but at most D rows.
        triangle = torch.linalg.qr(centered, mode="r").R
        plane = centered @ torch.linalg.svd(triangle, full_matrices=False)[2][:2].T
        plane = torch.nn.functional.pad(plane, (0, 2 - plane.shape[1]))
        method = "The axes are the two principal components."
    else:
        from sklearn.manifold import TSNE

        perplexity = min(30.0, (len(features) - 1) / 3)
        plane = torch.from_numpy(
            TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(features.numpy())
        ).double()
        method = (
            f"The map is a t-SNE (perplexity {perplexity:.0f}) of the unit vectors: images that lie close together "
            "are similar; distances between groups and the sizes of groups mean little."
        )
    low, high = plane.amin(0), plane.amax(0)
    size = torch.tensor([WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN])
    scaled = (plane - low) / (high - low).clamp(min=1e-12) * size + MARGIN
    return [(round(x, 1), round(y, 1)) for x, y in scaled.tolist()], method


def make_sprite(pictures: Sequence[Picture], most_bytes: int) -> Sprite:
    """Make square thumbnails of pictures that need at most `most_bytes`, or the smallest ones."""
    largest = max(max(picture.image.size) for picture in pictures)
    for side, quality in _SIZES:
        sprite = _make_sprite(pictures, min(side, largest), quality)
        if len(sprite.uri) <= most_bytes:
            break
    return sprite


def _make_sprite(pictures: Sequence[Picture], side: int, quality: int) -> Sprite:
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    mode = "L" if all(picture.image.mode == "L" for picture in pictures) else "RGB"
    sheet = Image.new(mode, (columns * side, rows * side))
    for number, picture in enumerate(pictures):
        method = Image.Resampling.NEAREST if max(picture.image.size) < side else Image.Resampling.LANCZOS
        square = ImageOps.fit(picture.image, (side, side), method)
        sheet.paste(square, (number % columns * side, number // columns * side))
    return Sprite(data_uri(sheet, quality), side, columns, rows)
