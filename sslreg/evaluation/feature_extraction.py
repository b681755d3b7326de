"""Extracts features of data sets, and of test images under an augmentation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from sslreg.assembly import SampleDataset
from sslreg.contracts import Augmentation, Embeddings, Params, SampleKeys
from sslreg.errors import UserError
from sslreg.evaluation.embedding import embed
from sslreg.registry import ComponentInfo, installed
from sslreg.views import Collate, Operation, ViewPlan, to_batch

#: The number of images that are augmented and embedded at once.
BATCH_SIZE = 256


@dataclass
class EvaluationImages:
    """A cache of test images after the leading geometry of the embedding view, to which augmentations are applied.

    Attributes:
        samples: the test set.
        collate: makes the embedding view.
    """

    samples: SampleDataset
    collate: Collate
    _cache: dict[int, Tensor] = field(default_factory=dict, repr=False)

    def load(self, indices: Sequence[int]) -> list[Tensor]:
        """Return images (C, H, W), in 8 bits if their files have 8 bits.

        If the spec skips unreadable images, each is replaced by the next readable one.

        Raises:
            UserError: an image cannot be read and is not skipped.
        """
        plan = self.collate.views[0].geometry_only()
        missing = [index for index in indices if index not in self._cache]
        for start in range(0, len(missing), BATCH_SIZE):
            batch = missing[start : start + BATCH_SIZE]
            images = [self._load_readable(index) for index in batch]
            draws = plan.draw(self.sample_keys(batch), 0, images)
            self._cache.update(zip(batch, plan.run(images, draws, range(len(plan.steps))), strict=True))
        return [self._cache[index] for index in indices]

    def _load_readable(self, index: int) -> Tensor:
        for candidate in range(index, index + len(self.samples)):
            try:
                return self.collate.load_pixels(self.samples[candidate % len(self.samples)])
            except UserError:
                if self.collate.on_error == "raise":
                    raise
        raise UserError("none of the test images can be read", code="image")

    def sample_keys(self, indices: Sequence[int]) -> SampleKeys:
        """Return the random keys of images; they depend on the run's seed and the index alone."""
        return SampleKeys.of_samples(self.collate.seed, [0] * len(indices), indices)


@dataclass
class FeatureExtractor:
    """Extracts the features that evaluators judge; the `EvaluatedRun` that they get.

    Attributes:
        collate: makes the single view that is embedded.
        function: computes features (N, D) of images (N, C, H, W) on `device`: a model, or flattening for raw pixels.
        device: where features are computed.
        workers: the number of processes that load images.
        images: the test images to which augmentations are applied.
        mean: a mean (D,) that is subtracted from the features of augmented images.
        indices: the indices of the test images that have embeddings, by row; None before `embeddings` of the test set.
    """

    collate: Collate
    function: Callable[[Tensor], Tensor]
    device: torch.device
    workers: int
    images: EvaluationImages
    mean: Tensor | None = None
    indices: Tensor | None = None

    def embeddings(self, samples: SampleDataset) -> Embeddings:
        """Return the embeddings of a data set. For the test set, `embed` refers to their rows afterwards."""
        embeddings = embed(
            samples,
            self.collate,
            self.function,
            device=self.device,
            batch_size=min(BATCH_SIZE, len(samples)),
            workers=self.workers,
        )
        if samples is self.images.samples:
            self.indices = embeddings.indices
        return embeddings

    @property
    def image_shape(self) -> tuple[int, int, int]:
        channels, height, width = self.images.load([0])[0].shape
        return channels, height, width

    def augmentations(self) -> Sequence[ComponentInfo]:
        return [info for info in installed().of_kind("augmentation") if info.invariances]

    def embed(self, rows: Sequence[int], augmentation: Augmentation | None = None) -> tuple[Tensor, Params]:
        indices = rows if self.indices is None else self.indices[list(rows)].tolist()
        plan = self.collate.views[0]
        added = [] if augmentation is None else [Operation("measured", augmentation)]
        plan = ViewPlan([*added, *plan.operations[plan.leading :]])
        images, keys = self.images.load(indices), self.images.sample_keys(indices)
        draws = plan.draw(keys, 0, images)
        if augmentation is not None and not torch.equal(draws[0].shapes, _shapes(images)):
            raise UserError(f"{type(augmentation).__name__} changes the shape of images", code="augmentation")
        view = to_batch(plan.run(list(images), draws, range(len(plan.steps))))
        with torch.inference_mode():
            parts = [self.function(part.to(self.device)).float().cpu() for part in torch.split(view, BATCH_SIZE)]
        features = torch.cat(parts)
        if augmentation is not None and not features.isfinite().all():
            name = type(augmentation).__name__
            raise UserError(f"the embeddings of images after {name} are not finite", code="augmentation")
        return features if self.mean is None else features - self.mean, draws[0].params if added else {}


def _shapes(images: Sequence[Tensor]) -> Tensor:
    return torch.tensor([tuple(image.shape) for image in images])
