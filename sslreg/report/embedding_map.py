"""Embeddings in the plane, and the small pictures of what lies where."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from markupsafe import Markup
from PIL import Image, ImageOps
from torch import Tensor

from sslreg.report.embedded_images import EmbeddedImages, Picture
from sslreg.report.html_pages import data_uri

#: The size of a map, in the units of its points.
WIDTH, HEIGHT, MARGIN = 640, 480, 12

#: So many classes have a color of their own.
COLORS = 10

#: Sides of a thumbnail in pixels with WebP's quality, from the best; the first that fits is taken.
_SIZES = ((48, 60), (40, 50), (32, 40), (24, 35))

#: t-SNE needs several neighbors for each point.
_FEWEST = 12


@dataclass(frozen=True)
class EmbeddingMap:
    """Points, grouped by class: for each class its name (None without labels), and the rows of its points.

    places: for each row, where its point is. method: how the places were found, a sentence.
    """

    classes: list[tuple[str | None, list[int]]]
    places: list[tuple[float, float]]
    method: str


@dataclass(frozen=True)
class Sprite:
    """Thumbnails in one image, row by row. uri: of the image. side: of a thumbnail in its pixels. columns: in a row."""

    uri: Markup
    side: int
    columns: int
    rows: int


def embedding_map(images: EmbeddedImages) -> EmbeddingMap:
    """Where images lie by their trained features."""
    places, method = _in_the_plane(images.trained)
    rows: dict[str | None, list[int]] = {}
    for row, picture in enumerate(images.pictures):
        rows.setdefault(picture.label, []).append(row)
    classes = sorted(rows.items(), key=lambda entry: (len(entry[0] or ""), entry[0] or ""))
    return EmbeddingMap(classes, places, method)


def _in_the_plane(features: Tensor) -> tuple[list[tuple[float, float]], str]:
    """Places (N, 2) of unit vectors (N, D), always the same for the same ones."""
    if len(features) < _FEWEST:
        centered = (features - features.mean(0)).double()
        plane = centered @ torch.linalg.svd(centered, full_matrices=False)[2][:2].T
        plane = torch.nn.functional.pad(plane, (0, 2 - plane.shape[1]))
        method = "The plane is that of the two principal components."
    else:
        from sklearn.manifold import TSNE

        perplexity = min(30.0, (len(features) - 1) / 3)
        plane = torch.from_numpy(
            TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(features.numpy())
        ).double()
        method = (
            f"The plane is made by t-SNE (perplexity {perplexity:.0f}) of the unit vectors: what lies close together "
            "is similar; distances between groups, and their sizes, mean little."
        )
    low, high = plane.amin(0), plane.amax(0)
    room = torch.tensor([WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN])
    scaled = (plane - low) / (high - low).clamp(min=1e-12) * room + MARGIN
    return [(round(x, 1), round(y, 1)) for x, y in scaled.tolist()], method


def sprite(pictures: Sequence[Picture], most_bytes: int) -> Sprite:
    """Thumbnails of pictures, cut to squares, small enough that they take at most so many bytes, if at all possible."""
    largest = max(max(picture.image.size) for picture in pictures)
    for side, quality in _SIZES:
        made = _sprite(pictures, min(side, largest), quality)
        if len(made.uri) <= most_bytes:
            break
    return made


def _sprite(pictures: Sequence[Picture], side: int, quality: int) -> Sprite:
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    mode = "L" if all(picture.image.mode == "L" for picture in pictures) else "RGB"
    sheet = Image.new(mode, (columns * side, rows * side))
    for number, picture in enumerate(pictures):
        method = Image.Resampling.NEAREST if max(picture.image.size) < side else Image.Resampling.LANCZOS
        square = ImageOps.fit(picture.image, (side, side), method)
        sheet.paste(square, (number % columns * side, number // columns * side))
    return Sprite(data_uri(sheet, quality), side, columns, rows)
