"""Some images of a run, embedded before and after its training, with pictures of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sslreg.assembly import SampleDataset, build_embed_collate
from sslreg.contracts import Model, Sample
from sslreg.evaluation import embed
from sslreg.images import load_image
from sslreg.report.denormalization import picture
from sslreg.report.preview_image import reduced
from sslreg.report.view_preview import class_name
from sslreg.training import Run

#: The most images that are embedded; of a larger set they are drawn at random, always the same.
MOST = 2000

#: Pixels of the larger side of a kept picture.
_PICTURE = 96


@dataclass(frozen=True)
class Picture:
    """An image by its number in its data set, its name and its class (None without one), reduced to 96 pixels."""

    index: int
    name: str
    label: str | None
    image: Image.Image


class Gallery:
    """The pictures of a report: runs that show the same images share them."""

    def __init__(self) -> None:
        self.collections: list[list[Picture]] = []
        self._numbers: dict[str, int] = {}

    def number_of(self, source: str, samples: SampleDataset, channels: int) -> int:
        """The number in `collections` of the samples' pictures. source: equal for equal samples.

        UserError: an image cannot be read.
        """
        if source not in self._numbers:
            self.collections.append(_pictures(samples, channels))
            self._numbers[source] = len(self.collections) - 1
        return self._numbers[source]


def _pictures(samples: SampleDataset, channels: int) -> list[Picture]:
    found = []
    for row in range(len(samples)):
        sample = samples[row]
        assert sample.index is not None  # a SampleDataset numbers its samples
        image = reduced(picture(load_image(sample.image, channels)), _PICTURE)
        label = class_name(sample.target, samples.classes)
        found.append(Picture(sample.index, samples.name(sample.index), label, image))
    return found


@dataclass(frozen=True)
class EmbeddedImages:
    """Images of one of a run's data sets (`split`, of `total`), and their features (N, D) as unit vectors.

    collection: the number of their pictures in the gallery.
    """

    split: str
    total: int
    collection: int
    pictures: list[Picture]
    trained: Tensor
    untrained: Tensor

    @property
    def described(self) -> str:
        """Which images these are, as part of a sentence."""
        if len(self.pictures) == self.total:
            return f"all {self.total:,} images of the {self.split} set"
        return f"{len(self.pictures):,} of the {self.total:,} images of the {self.split} set, drawn at random"


def embedded_images(run: Run, gallery: Gallery, most: int = MOST) -> EmbeddedImages:
    """Embed images of the test set, else of the reference set, else of the training set.

    SslregError: the data, the checkpoint or a plugin is not there, or an image cannot be read.
    """
    spec = run.spec
    split = next(name for name in ("test", "reference", "train") if getattr(spec.data, name) is not None)
    whole = run.split(split)
    some = _Some(whole, np.sort(np.random.default_rng(0).permutation(len(whole))[:most]).tolist())
    source = repr((spec.to_dict()["data"][split], spec.data.channels))
    collection = gallery.number_of(source, some, spec.data.channels)
    return EmbeddedImages(
        split,
        len(whole),
        collection,
        gallery.collections[collection],
        _features(run, some, run.model()),
        _features(run, some, run.untrained_model().eval()),
    )


class _Some(SampleDataset):
    """Some of a data set's samples, under their own numbers."""

    def __init__(self, whole: SampleDataset, indices: Sequence[int]) -> None:
        super().__init__(whole.source)
        self.indices = indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, key: int | tuple[int, int]) -> Sample:
        epoch, row = key if isinstance(key, tuple) else (0, key)
        return super().__getitem__((epoch, self.indices[row]))


def _features(run: Run, samples: SampleDataset, model: Model) -> Tensor:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    collate = build_embed_collate(run.spec)
    embeddings = embed(samples, collate, model.to(device).embed, device=device, workers=run.spec.data.workers)
    return torch.nn.functional.normalize(embeddings.features, dim=1)
