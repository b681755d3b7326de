"""The nearest neighbors of some images, before and after the training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sslreg.evaluation.nearest_neighbors import nearest_neighbors
from sslreg.report.embedded_images import EmbeddedImages, Picture

#: The number of images whose neighbors are shown, and the number of neighbors of each.
QUERIES, NEIGHBORS = 6, 5

#: The largest number of decimals of a similarity. The following ones are rounding errors of single precision.
_MOST_DECIMALS = 6


@dataclass(frozen=True)
class Neighbor:
    """A neighbor of an image.

    Attributes:
        picture: The neighbor.
        similarity: The cosine similarity, from -1 to 1, as text.
        same: Whether both images are of the same class; None if one of them has no class.
    """

    picture: Picture
    similarity: str
    same: bool | None


@dataclass(frozen=True)
class Query:
    """An image and its nearest neighbors, the nearest first.

    Attributes:
        picture: The image.
        trained: The neighbors by the features of the trained backbone.
        initial: The neighbors by the features of the backbone before training.
    """

    picture: Picture
    trained: list[Neighbor]
    initial: list[Neighbor]


def find_neighbors(images: EmbeddedImages) -> list[Query]:
    """Choose some images, of as many classes as possible, and find their nearest neighbors among the others."""
    rows = _choose_rows(images.pictures)
    trained = _find_neighbors(images.pictures, images.trained, rows)
    initial = _find_neighbors(images.pictures, images.initial, rows)
    return [Query(images.pictures[row], *found) for row, *found in zip(rows, trained, initial, strict=True)]


def _choose_rows(pictures: list[Picture]) -> list[int]:
    """Choose rows at random, but always the same: the first of each class, then others."""
    order = np.random.default_rng(0).permutation(len(pictures)).tolist()
    first = {pictures[row].label: row for row in reversed(order)}
    firsts = sorted(first.values(), key=order.index)
    return sorted([*firsts, *(row for row in order if row not in first.values())][:QUERIES])


def _find_neighbors(pictures: list[Picture], features: Tensor, rows: list[int]) -> list[list[Neighbor]]:
    k = min(NEIGHBORS, len(features) - 1)
    similarities, indices = nearest_neighbors(features[rows], features, k, metric="dot", exclude=torch.tensor(rows))
    return [
        [
            Neighbor(pictures[index], similarity, _is_same_class(pictures[row], pictures[index]))
            for index, similarity in zip(own_indices, format_similarities(own_similarities), strict=True)
        ]
        for row, own_indices, own_similarities in zip(rows, indices.tolist(), similarities.tolist(), strict=True)
    ]


def format_similarities(similarities: Sequence[float]) -> list[str]:
    """Format similarities with as many decimals, from two to `_MOST_DECIMALS`, as they need to differ."""
    distinct = len({round(similarity, _MOST_DECIMALS) for similarity in similarities})
    for decimals in range(2, _MOST_DECIMALS + 1):
        texts = [f"{similarity:.{decimals}f}" for similarity in similarities]
        if len(set(texts)) == distinct:
            break
    return texts


def _is_same_class(picture: Picture, other: Picture) -> bool | None:
    return None if picture.label is None or other.label is None else picture.label == other.label
