"""What is judged: a way from images to features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from sslreg.assembly import SampleDataset
from sslreg.contracts import Augmentation, Embeddings, Params
from sslreg.errors import UserError
from sslreg.evaluation.embedding import embed
from sslreg.registry import ComponentInfo, installed
from sslreg.views import Collate, Operation, SampleKeys, ViewPlan, to_batch

#: Images that are augmented and embedded at a time.
BATCH = 256


@dataclass
class EvaluationImages:
    """Test images at their size, after the embedding view's leading geometry. Those that were asked for are kept.

    collate: makes the embedding view, of which the geometry is taken.
    """

    samples: SampleDataset
    collate: Collate
    _kept: dict[int, Tensor] = field(default_factory=dict, repr=False)

    def load(self, rows: Sequence[int]) -> list[Tensor]:
        """The images (C, H, W), in 8 bits where they came in 8 bits. UserError: one cannot be read.

        Where the spec skips broken images, the next one that can be read takes its place.
        """
        plan = self.collate.views[0].geometry_only()
        missing = [row for row in rows if row not in self._kept]
        for first in range(0, len(missing), BATCH):
            loading = missing[first : first + BATCH]
            images = [self._load_readable(row) for row in loading]
            draws = plan.draw(self.sample_keys(loading), 0, images)
            self._kept.update(zip(loading, plan.run(images, draws, range(len(plan.steps))), strict=True))
        return [self._kept[row] for row in rows]

    def _load_readable(self, row: int) -> Tensor:
        for following in range(row, row + len(self.samples)):
            try:
                return self.collate.load_pixels(self.samples[following % len(self.samples)])
            except UserError:
                if self.collate.on_error == "raise":
                    raise
        raise UserError("none of the test images can be read", code="image")

    def sample_keys(self, rows: Sequence[int]) -> SampleKeys:
        """What the randomness of an augmentation of these images depends on."""
        return SampleKeys.of_samples(self.collate.seed, [0] * len(rows), rows)


@dataclass
class FeatureExtractor:
    """A model or the raw pixels, as the `EvaluatedRun` that evaluators are handed.

    collate: makes the one view that is embedded. function: its images (N, C, H, W) on `device` to features (N, D).
    images: the test images that an augmentation is put upon. mean: of the features (D,), to be subtracted. numbers: of
    the test images that have rows, None for all.
    """

    collate: Collate
    function: Callable[[Tensor], Tensor]
    device: torch.device
    workers: int
    images: EvaluationImages
    mean: Tensor | None = None
    numbers: Tensor | None = None

    def embeddings(self, samples: SampleDataset) -> Embeddings:
        """The embeddings of a data set. Rows of those of the test images are what `embed` takes from then on."""
        found = embed(
            samples,
            self.collate,
            self.function,
            device=self.device,
            batch_size=min(BATCH, len(samples)),
            workers=self.workers,
        )
        if samples is self.images.samples:
            self.numbers = found.indices
        return found

    @property
    def image_shape(self) -> tuple[int, int, int]:
        channels, height, width = self.images.load([0])[0].shape
        return channels, height, width

    def augmentations(self) -> Sequence[ComponentInfo]:
        return [info for info in installed().of_kind("augmentation") if info.invariances]

    def embed(self, rows: Sequence[int], augmentation: Augmentation | None = None) -> tuple[Tensor, Params]:
        if self.numbers is not None:
            rows = self.numbers[list(rows)].tolist()
        plan = self.collate.views[0]
        added = [] if augmentation is None else [Operation("measured", augmentation)]
        plan = ViewPlan([*added, *plan.operations[plan.leading :]])
        images, keys = self.images.load(rows), self.images.sample_keys(rows)
        draws = plan.draw(keys, 0, images)
        if augmentation is not None and not torch.equal(draws[0].shapes, _shapes(images)):
            raise UserError(f"{type(augmentation).__name__} changes the shape of images", code="augmentation")
        seen = to_batch(plan.run(list(images), draws, range(len(plan.steps))))
        with torch.inference_mode():
            parts = [self.function(part.to(self.device)).float().cpu() for part in torch.split(seen, BATCH)]
        features = torch.cat(parts)
        return features if self.mean is None else features - self.mean, draws[0].params if added else {}


def _shapes(images: Sequence[Tensor]) -> Tensor:
    return torch.tensor([tuple(image.shape) for image in images])
