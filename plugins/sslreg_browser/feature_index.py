"""The features of many images of a run, and the nearest neighbors among them."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize

import sslreg
from sslreg_browser.feature_encoder import RAW_PIXELS, FeatureEncoder

#: The number of images that are embedded at once.
_BATCH = 64

#: The larger side of a thumbnail in pixels. Smaller ones than `_SMALL` are stored without loss.
_THUMBNAIL, _SMALL = 96, 64


@dataclass(frozen=True)
class Neighbor:
    """A similar image.

    Attributes:
        row: Its row in the index.
        similarity: The cosine similarity, from -1 to 1, as text.
    """

    row: int
    similarity: str


@dataclass
class FeatureIndex:
    """N images of one of a run's data sets and their features.

    Attributes:
        split: The data set.
        samples: Its samples.
        indices: The indices of the N images in it.
        names: Their names.
        labels: The names of their classes, None without labels.
        thumbnails: Pictures of the prepared images, as the bytes of PNG or WebP files.
        features: The features (N, D) as unit vectors, by subject. Pixels are centered by their mean.
        pixel_mean: That mean (D,).
        unreadable: The names of images that cannot be read, and the reasons. They are left out.
        map: The images in the plane by their trained features; None before it is made.
        has_final_map: Whether the map is the final one, and not that of principal components before it.
    """

    split: str
    samples: sslreg.SampleDataset
    indices: list[int]
    names: list[str]
    labels: list[str | None]
    thumbnails: list[bytes]
    features: Mapping[str, Tensor]
    pixel_mean: Tensor
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    map: sslreg.EmbeddingMap | None = None
    has_final_map: bool = False

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def description(self) -> str:
        """Which images these are, as part of a sentence."""
        total = len(self.samples)
        if len(self) == total:
            return f"all {total:,} images of the {self.split} set"
        return f"{len(self):,} of the {total:,} images of the {self.split} set"

    @property
    def bytes(self) -> int:
        """The memory of features and thumbnails in bytes."""
        return sum(own.nbytes for own in self.features.values()) + sum(map(len, self.thumbnails))

    def make_map(self) -> None:
        """Make the map by principal components, which takes a moment."""
        self.map = sslreg.map_embeddings(self.features["trained"], self.labels, tsne=False)

    def place(self, points: NDArray[np.float64], method: str) -> None:
        """Replace the map by the final one.

        Args:
            points: The places (N, 2) of the images.
            method: The projection, as a sentence.

        Raises:
            ValueError: There are not as many points as images.
        """
        if points.shape != (len(self), 2):
            raise ValueError(f"there are {len(self)} images and points of shape {points.shape}")
        assert self.map is not None
        places = [(float(x), float(y)) for x, y in points.tolist()]
        self.map, self.has_final_map = replace(self.map, points=places, method=method), True

    def take(self, row: int) -> dict[str, Tensor]:
        """Return the features (D,) of an image of the index, by subject."""
        return {subject: own[row] for subject, own in self.features.items()}

    def center(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return features (N, D) of an encoder as unit vectors that can be compared with those of the index."""
        return {
            subject: normalize(own - self.pixel_mean, dim=1) if subject == RAW_PIXELS else own
            for subject, own in features.items()
        }

    def find_neighbors(
        self, features: Mapping[str, Tensor], count: int, row: int | None = None
    ) -> dict[str, list[Neighbor]]:
        """Find up to `count` nearest images of the index by the features of each subject, the nearest first.

        Args:
            features: The features (D,) of an image, by subject; see `take` and `center`.
            count: The number of neighbors.
            row: The row of the image itself, which is not among them; None if it is not in the index.
        """
        exclude = None if row is None else torch.tensor([row])
        k = min(count, len(self) - (row is not None))
        neighbors = {}
        for subject, own in features.items():
            similarities, rows = sslreg.nearest_neighbors(
                own[None], self.features[subject], k, metric="dot", exclude=exclude
            )
            texts = sslreg.format_similarities(similarities[0].tolist()) if k else []
            neighbors[subject] = [Neighbor(*pair) for pair in zip(rows[0].tolist(), texts, strict=True)]
        return neighbors


class CancelledError(Exception):
    """The index is no longer wanted."""


def choose_images(run: sslreg.Run, most: int) -> tuple[str, sslreg.SampleDataset, list[int]]:
    """Return the data set of a run whose images are shown, and the indices of up to `most` of them.

    It is the test set, else the reference set, else the training set. From a larger set, images are drawn at random,
    but always the same, as in reports.
    """
    split = next(name for name in ("test", "reference", "train") if run.spec.data.find(name) is not None)
    samples = run.split(split)
    return split, samples, np.sort(np.random.default_rng(0).permutation(len(samples))[:most]).tolist()


def build_index(
    run: sslreg.Run, encoder: FeatureEncoder, most: int, report: Callable[[int, int], None]
) -> FeatureIndex:
    """Embed the images of `choose_images`. Images that cannot be read are left out. The index has no map yet.

    Args:
        run: The run.
        encoder: Its encoder.
        most: The largest number of images.
        report: Called with the numbers of images that are done, and of all. It may raise `CancelledError`.

    Raises:
        UserError: None of the images can be read, or they have different sizes.
        SslregError: The data or a plugin is missing.
    """
    split, samples, rows = choose_images(run, most)
    builder = _IndexBuilder(samples, encoder)
    report(0, len(rows))
    for start in range(0, len(rows), _BATCH):
        builder.add(rows[start : start + _BATCH])
        report(min(start + _BATCH, len(rows)), len(rows))
    return builder.finish(split)


class _IndexBuilder:
    """Collects images, batch by batch."""

    def __init__(self, samples: sslreg.SampleDataset, encoder: FeatureEncoder) -> None:
        self._samples = samples
        self._encoder = encoder
        self._indices: list[int] = []
        self._labels: list[str | None] = []
        self._thumbnails: list[bytes] = []
        self._features: dict[str, list[Tensor]] = {subject: [] for subject in encoder.subjects}
        self._unreadable: list[tuple[str, str]] = []

    def add(self, rows: Sequence[int]) -> None:
        images = []
        for row in rows:
            sample = self._samples[row]
            try:
                images.append(self._encoder.prepare(sample.image))
            except sslreg.UserError as error:
                self._unreadable.append((self._samples.name(row), error.diagnostics[0].message))
                continue
            self._indices.append(row)
            self._labels.append(self._samples.class_name(sample.target))
            self._thumbnails.append(encode_picture(sslreg.to_pil_image(images[-1]), _THUMBNAIL))
        if images:
            for subject, own in self._encoder.encode(stack_prepared(images)).items():
                self._features[subject].append(own)

    def finish(self, split: str) -> FeatureIndex:
        if not self._indices:
            reason = self._unreadable[0][1] if self._unreadable else "there is none"
            raise sslreg.UserError(f"no image of the {split} set can be read: {reason}", code="image")
        features = {subject: torch.cat(parts) for subject, parts in self._features.items()}
        mean = features[RAW_PIXELS].mean(0)
        features[RAW_PIXELS] = normalize(features[RAW_PIXELS].sub_(mean), dim=1)
        return FeatureIndex(
            split=split,
            samples=self._samples,
            indices=self._indices,
            names=[self._samples.name(index) for index in self._indices],
            labels=self._labels,
            thumbnails=self._thumbnails,
            features=features,
            pixel_mean=mean,
            unreadable=self._unreadable,
        )


def stack_prepared(images: Sequence[Tensor]) -> Tensor:
    """Stack prepared images to (N, C, H, W).

    Raises:
        UserError: They have different sizes.
    """
    if len({image.shape for image in images}) > 1:
        raise sslreg.UserError(
            "the embedding view leaves images at different sizes",
            hint="let embed_view begin with a resize or a crop",
            code="image",
        )
    return torch.stack(list(images))


def encode_picture(image: Image.Image, side: int) -> bytes:
    """Return a picture, reduced to a side of at most `side` pixels, as the bytes of a PNG or WebP file."""
    small = image.copy()
    small.thumbnail((side, side))
    buffer = io.BytesIO()
    if max(small.size) <= _SMALL:
        small.save(buffer, "PNG")
    else:
        small.save(buffer, "WEBP", quality=80, method=2)
    return buffer.getvalue()
