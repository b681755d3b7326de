"""What lies nearest to some images, before and after the training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from sslreg.report.embedded_images import EmbeddedImages, Picture

#: How many images are asked for, and how many neighbors of each are shown.
QUERIES, NEIGHBORS = 6, 5


@dataclass(frozen=True)
class Neighbor:
    """A neighbor, how similar it is (cosine), and whether its class is the query's; None where either has none."""

    picture: Picture
    similarity: float
    same: bool | None


@dataclass(frozen=True)
class Query:
    """An image and its nearest neighbors by each subject's features, the nearest first."""

    picture: Picture
    trained: list[Neighbor]
    untrained: list[Neighbor]


def queries(images: EmbeddedImages) -> list[Query]:
    """Some of the images, of as many classes as possible, and their neighbors among the others."""
    return [
        Query(images.pictures[row], _nearest(images, images.trained, row), _nearest(images, images.untrained, row))
        for row in _chosen(images.pictures)
    ]


def _chosen(pictures: list[Picture]) -> list[int]:
    """Rows at random, always the same: the first of each class, then others."""
    order = np.random.default_rng(0).permutation(len(pictures)).tolist()
    first = {pictures[row].label: row for row in reversed(order)}
    firsts = sorted(first.values(), key=order.index)
    return sorted([*firsts, *(row for row in order if row not in first.values())][:QUERIES])


def _nearest(images: EmbeddedImages, features: Tensor, row: int) -> list[Neighbor]:
    similarity = features @ features[row]
    similarity[row] = -np.inf
    own = images.pictures[row].label
    values, rows = similarity.topk(min(NEIGHBORS, len(features) - 1))
    found = [(images.pictures[other], value) for other, value in zip(rows.tolist(), values.tolist(), strict=True)]
    return [
        Neighbor(picture, value, None if own is None or picture.label is None else picture.label == own)
        for picture, value in found
    ]
