"""The features of the patches of some images: their principal components, and their similarity to one patch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

import sslreg


@dataclass(frozen=True)
class ImagePatches:
    """The patches of N images.

    Attributes:
        keys: The keys of the images; see `QueryImage`.
        features: The features (N, rows, columns, D) as unit vectors, by subject.
    """

    keys: list[str]
    features: Mapping[str, Tensor]

    @property
    def grid(self) -> tuple[int, int]:
        """The numbers of rows and columns of patches."""
        _, rows, columns, _ = next(iter(self.features.values())).shape
        return rows, columns

    def color_components(self) -> dict[str, Tensor]:
        """Return the first principal components as colors (N, 3, rows, columns) in [0, 1], by subject.

        They are those of all N images together, so that equal colors mean similar patches.
        """
        return {subject: sslreg.color_components(own) for subject, own in self.features.items()}

    def similarities(self, row: int, column: int) -> dict[str, Tensor]:
        """Return the cosine similarities (N, rows, columns) of all patches to one of the first image, by subject."""
        return {subject: own @ own[0, row, column] for subject, own in self.features.items()}
