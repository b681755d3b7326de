"""The images whose neighbors are searched: those of an index, and those that the user drops onto the page."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

import sslreg
from sslreg_browser.feature_encoder import FeatureEncoder
from sslreg_browser.feature_index import FeatureIndex, stack_prepared
from sslreg_browser.patch_similarity import ImagePatches

#: The number of prepared images that are kept.
_KEPT = 32

#: The number of images whose patches are kept, and of neighbors whose patches are shown with those of an image.
_KEPT_PATCHES, PATCH_NEIGHBORS = 4, 3

#: The length of the longest name of a dropped image.
_NAME = 200


@dataclass(frozen=True)
class QueryImage:
    """An image whose neighbors are searched.

    Attributes:
        key: The text by which the page names it: its row in the index, or ``new-1`` for the first dropped image.
        name: Its name.
        label: The name of its class, None without one.
        row: Its row in the index, None for a dropped image.
        features: Its features (D,) by subject.
    """

    key: str
    name: str
    label: str | None
    row: int | None
    features: Mapping[str, Tensor]

    @property
    def number(self) -> int:
        """A number that tells it from other images of its index."""
        return 0 if self.row is None else self.row


class QueryImages:
    """The images of an index, and the last images that were dropped.

    Args:
        index: The index.
        encoder: The encoder of its features.
    """

    def __init__(self, index: FeatureIndex, encoder: FeatureEncoder) -> None:
        self.index = index
        self.encoder = encoder
        self._dropped: dict[str, QueryImage] = {}
        self._prepared: dict[str, Tensor] = {}
        self._patches: dict[str, ImagePatches] = {}
        self._count = 0
        self._lock = threading.Lock()

    def find(self, key: str) -> QueryImage:
        """Return the image with a key.

        Raises:
            UserError: There is none.
        """
        index = self.index
        if key.isascii() and key.isdigit() and len(key) < 10 and int(key) < len(index):
            row = int(key)
            return QueryImage(str(row), index.names[row], index.labels[row], row, index.take(row))
        with self._lock:
            image = self._dropped.get(key)
        if image is None:
            raise sslreg.UserError(f"there is no image {key[:20]!r}", hint="choose another image", code="not-found")
        return image

    def add(self, content: bytes, name: str) -> QueryImage:
        """Embed an image and return it.

        Args:
            content: The content of its file.
            name: The name of the file.

        Raises:
            UserError: The image cannot be read.
        """
        try:
            prepared = self.encoder.prepare(content)
        except sslreg.UserError as error:
            raise sslreg.UserError(
                f"{name[:_NAME] or 'the file'} cannot be read as an image: {error.diagnostics[0].message}",
                hint="drop an image of the same kind as those of the run",
                code="image",
            ) from error
        features = self.index.center(self.encoder.encode(prepared[None]))
        with self._lock:
            self._count += 1
            key = f"new-{self._count}"
            image = QueryImage(key, name[:_NAME], None, None, {subject: own[0] for subject, own in features.items()})
            self._dropped[key] = image
            self._keep(key, prepared)
            while len(self._dropped) > _KEPT:
                self._dropped.pop(next(iter(self._dropped)))
        return image

    def prepare(self, image: QueryImage) -> Tensor:
        """Return the prepared image (C, H, W).

        Raises:
            UserError: The image cannot be read any more.
        """
        with self._lock:
            prepared = self._prepared.get(image.key)
        if prepared is None:
            if image.row is None:
                raise sslreg.UserError("this image is no longer kept", hint="drop it again", code="not-found")
            prepared = self.encoder.prepare(self.index.samples[self.index.indices[image.row]].image)
            with self._lock:
                self._keep(image.key, prepared)
        return prepared

    def encode_patches(self, image: QueryImage) -> ImagePatches:
        """Return the patches of an image and of its nearest neighbors by the trained features.

        Raises:
            UserError: The backbone has no patches, or an image cannot be read any more.
        """
        with self._lock:
            known = self._patches.get(image.key)
        if known is not None:
            return known
        if not self.encoder.has_patches:
            raise sslreg.UserError(
                "the backbone of this run has no patches", hint="choose a run of a Vision Transformer", code="not-found"
            )
        trained = self.index.find_neighbors(image.features, PATCH_NEIGHBORS, image.row)["trained"]
        shown = [image, *(self.find(str(neighbor.row)) for neighbor in trained)]
        features = self.encoder.encode_patches(stack_prepared([self.prepare(one) for one in shown]))
        patches = ImagePatches([one.key for one in shown], features)
        with self._lock:
            self._patches[image.key] = patches
            while len(self._patches) > _KEPT_PATCHES:
                self._patches.pop(next(iter(self._patches)))
        return patches

    def distances(self, image: QueryImage, subject: str) -> Tensor:
        """Return the cosine distances (N,) of an image to the others of the index, in ascending order."""
        distances = 1.0 - self.index.features[subject] @ image.features[subject]
        if image.row is not None:
            distances = torch.cat((distances[: image.row], distances[image.row + 1 :]))
        return distances.sort().values

    def _keep(self, key: str, prepared: Tensor) -> None:
        self._prepared[key] = prepared
        while len(self._prepared) > _KEPT:
            self._prepared.pop(next(iter(self._prepared)))
