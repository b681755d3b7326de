"""Images of a run with their embeddings before and after the training, and with pictures of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sslreg.assembly import ImageLoader, SampleDataset, build_embed_collate, build_image_loader
from sslreg.contracts import Model, Sample
from sslreg.evaluation import embed
from sslreg.report.denormalization import to_pil_image
from sslreg.report.drawing import shrink_image
from sslreg.runs import Run

#: The largest number of images that are embedded. From a larger set they are drawn at random, but always the same.
MOST = 2000

#: The larger side of a stored picture, in pixels.
_PICTURE = 96


@dataclass(frozen=True)
class Picture:
    """A picture of an image.

    Attributes:
        index: The index of the image in its data set.
        name: Its name.
        label: The name of its class, None without one.
        image: The image, reduced to 96 pixels.
    """

    index: int
    name: str
    label: str | None
    image: Image.Image


class Gallery:
    """The pictures of a report. Runs that show the same images share them.

    Attributes:
        collections: The pictures of each data set.
    """

    def __init__(self) -> None:
        self.collections: list[list[Picture]] = []
        self._numbers: dict[str, int] = {}

    def add(self, source: str, samples: SampleDataset, load: ImageLoader) -> int:
        """Add pictures of samples unless they are there, and return their number in `collections`.

        Args:
            source: A text that is equal for equal samples.
            samples: The samples.
            load: Returns the pixels of an image.

        Raises:
            UserError: An image cannot be read.
        """
        if source not in self._numbers:
            self.collections.append(_make_pictures(samples, load))
            self._numbers[source] = len(self.collections) - 1
        return self._numbers[source]


def _make_pictures(samples: SampleDataset, load: ImageLoader) -> list[Picture]:
    pictures = []
    for row in range(len(samples)):
        sample = samples[row]
        assert sample.index is not None  # a SampleDataset numbers its samples
        image = shrink_image(to_pil_image(load(sample.image)), _PICTURE)
        label = samples.class_name(sample.target)
        pictures.append(Picture(sample.index, samples.name(sample.index), label, image))
    return pictures


@dataclass(frozen=True)
class EmbeddedImages:
    """Images of one of a run's data sets and their features.

    Attributes:
        split: The data set.
        total: The number of its images.
        collection: The number of the pictures in the gallery.
        pictures: The pictures of the N images.
        trained: The features (N, D) of the trained backbone, as unit vectors.
        initial: The same of the backbone before training.
        initial_subject: ``starting`` if that had starting weights, otherwise ``untrained``.
    """

    split: str
    total: int
    collection: int
    pictures: list[Picture]
    trained: Tensor
    initial: Tensor
    initial_subject: str

    @property
    def description(self) -> str:
        """Which images these are, as part of a sentence."""
        if len(self.pictures) == self.total:
            return f"all {self.total:,} images of the {self.split} set"
        return f"{len(self.pictures):,} of the {self.total:,} images of the {self.split} set, drawn at random"


def embed_images(run: Run, gallery: Gallery, most: int = MOST) -> EmbeddedImages:
    """Embed images of the test set, else of the reference set, else of the training set.

    Args:
        run: The run.
        gallery: Gets the pictures.
        most: The largest number of images.

    Raises:
        SslregError: The data, the checkpoint or a plugin is missing, or an image cannot be read.
    """
    spec = run.spec
    split = next(name for name in ("test", "reference", "train") if spec.data.find(name) is not None)
    samples = run.split(split)
    rows = np.sort(np.random.default_rng(0).permutation(len(samples))[:most]).tolist()
    subset = _Subset(samples, rows)
    source = repr((spec.describe_dataset(split), spec.data.channels, spec.data.range, spec.data.background))
    collection = gallery.add(source, subset, build_image_loader(spec))
    initial_subject, initial = run.initial_model()
    return EmbeddedImages(
        split,
        len(samples),
        collection,
        gallery.collections[collection],
        _embed(run, subset, run.model()),
        _embed(run, subset, initial.eval()),
        initial_subject,
    )


class _Subset(SampleDataset):
    """A part of a data set's samples, which keep their indices."""

    def __init__(self, samples: SampleDataset, rows: Sequence[int]) -> None:
        super().__init__(samples.source, samples.origin, samples.rows)
        self._chosen = rows

    def __len__(self) -> int:
        return len(self._chosen)

    def __getitem__(self, key: int | tuple[int, int]) -> Sample:
        epoch, row = key if isinstance(key, tuple) else (0, key)
        return super().__getitem__((epoch, self._chosen[row]))


def _embed(run: Run, samples: SampleDataset, model: Model) -> Tensor:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    collate = build_embed_collate(run.spec)
    embeddings = embed(samples, collate, model.to(device).embed, device=device, workers=run.spec.data.workers)
    return torch.nn.functional.normalize(embeddings.features, dim=1)
