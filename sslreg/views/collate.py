"""The collate function: from a list of samples to a batch of augmented views."""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from sslreg.contracts.augmentation import Images
from sslreg.contracts.batch import Batch, Sample, as_sample, is_label_set
from sslreg.contracts.sample_keys import SampleKeys
from sslreg.contracts.segmentation_mask import is_segmentation_mask
from sslreg.errors import UserError
from sslreg.images import EncodedImage, Readers, TransparentImage, open_image
from sslreg.images.channels import Color
from sslreg.phase_clock import measure_loading
from sslreg.views.deferred_batch import DeferredBatch, DeferredView
from sslreg.views.image_stacking import stack_small_images
from sslreg.views.malloc import keep_freed_memory
from sslreg.views.plan import ViewPlan
from sslreg.views.reduced_decoding import decode_for_views
from sslreg.views.steps import Draw

log = logging.getLogger(__name__)

#: The key of `Batch.extras` under which the samples that could not be read are listed.
SKIPPED = "skipped"


@dataclass(frozen=True)
class Skipped:
    """A sample that could not be read.

    Attributes:
        index: the sample's index; -1 outside of a run.
        reason: why it could not be read.
    """

    index: int
    reason: str


class Collate:
    """Turns a list of samples into a `Batch` of views; pass it to a DataLoader as ``collate_fn``.

    A sample is a `Sample`, an ``(image, target)`` pair or a bare image. The views of a Sample with index and epoch
    depend on these and on the seed alone; the views of others are drawn from torch's generator. So are `Batch.keys`.

    To customize it, override `load`, `make_view` or `extras`. A call does not change the instance, which can be
    pickled as long as its subclass can.

    Args:
        views: one plan per view.
        seed: the run's seed.
        channels: the number of channels to which every image is converted, see `load_image`.
        on_error: ``raise`` stops at an image that cannot be read; ``skip`` replaces it by another image of the batch,
            with different augmentation, and lists it as `Skipped` under ``extras["skipped"]``.
        keep_params: whether `Batch.params` holds what was drawn.
        device: where the part of the plans that belongs on a device will run. With a device the call returns a
            `DeferredBatch`, whose ``finish(device)`` returns the batch; on the CPU it does the same work later.
        readers: the readers that may open encoded images; all that are installed if None.
    """

    def __init__(
        self,
        views: Sequence[ViewPlan],
        *,
        seed: int = 0,
        channels: int | None = None,
        on_error: Literal["raise", "skip"] = "raise",
        keep_params: bool = False,
        device: torch.device | str | None = None,
        readers: Readers | None = None,
    ) -> None:
        self.views = tuple(views)
        self.seed = seed
        self.channels = channels
        self.on_error = on_error
        self.keep_params = keep_params
        self.readers = readers
        self.device = None if device is None else torch.device(device)
        self.steps_on_host = tuple(view.steps_on_host(self.device) for view in self.views)

    def __call__(self, samples: Sequence[Any]) -> Batch | DeferredBatch:
        """Make the batch of some samples.

        Raises:
            UserError: an image cannot be read or is too small, or an item is not a sample.
        """
        if get_worker_info() is not None:
            keep_freed_memory()
        wanted = [as_sample(item) for item in samples]
        keys = self._sample_keys(wanted)
        views, used, skipped = self._make_views(wanted, keys)
        for one in skipped:
            log.warning("skipped sample %s: %s", one.index, one.reason)
        deferred = DeferredBatch(
            views,
            Batch(
                views=[],
                targets=_targets(used),
                indices=torch.tensor([-1 if sample.index is None else sample.index for sample in used]),
                groups=tuple(view.group for view in self.views),
                roles=tuple(view.role for view in self.views),
                extras=self.extras(used) | ({SKIPPED: skipped} if skipped else {}),
                sample_keys=keys,
            ),
            self.keep_params,
        )
        return deferred.finish("cpu") if self.device is None else deferred

    def load(self, sample: Sample) -> Tensor | EncodedImage | TransparentImage:
        """Return a sample's image: pixels (C, H, W), uint8 or float32 in [0, 1], or an image that is not decoded yet.

        An override that changes pixels starts from ``sslreg.load_image(sample.image, self.channels, self.readers)``,
        which decodes all of them.

        Raises:
            UserError: the image cannot be read.
        """
        return open_image(sample.image, self.channels, self.readers)

    def load_pixels(self, sample: Sample) -> Tensor:
        """Return a sample's image as `load` does, decoded in full."""
        image = self.load(sample)
        return image if isinstance(image, Tensor) else image.decode()

    def make_view(self, number: int, images: Images, draws: list[Draw]) -> DeferredView:
        """Run the steps of a view that belong on the host.

        Args:
            number: the number of the view.
            images: N images, decoded as far as the view needs them.
            draws: what each step of the view's plan drew for them.
        """
        plan, steps = self.views[number], self.steps_on_host[number]
        return DeferredView(plan, plan.run(images, draws, range(steps)), draws, steps)

    def extras(self, samples: list[Sample]) -> dict[str, Any]:
        """Return what else the batch should carry, as `Batch.extras`; tensors in it move with the batch."""
        return {}

    def _sample_keys(self, samples: list[Sample]) -> SampleKeys:
        keyed = [n for n, sample in enumerate(samples) if sample.index is not None and sample.epoch is not None]
        known = SampleKeys.of_samples(
            self.seed,
            [samples[n].epoch or 0 for n in keyed],
            [samples[n].index or 0 for n in keyed],
        )
        if len(keyed) == len(samples):
            return known
        return SampleKeys.from_torch(len(samples)).with_rows(keyed, known)

    def _make_views(
        self, samples: list[Sample], keys: SampleKeys
    ) -> tuple[list[DeferredView], list[Sample], list[Skipped]]:
        """Return the views, the samples that they show, and the samples that were replaced."""
        with measure_loading("decoding"):  # as far as readers decode at once
            images, errors = self._load_all(samples)
        while True:
            sources = _replace_missing(images, len(samples), errors)
            batch = stack_small_images([images[source] for source in sources])
            draws = self._draw(keys, batch)
            with measure_loading("decoding"):
                decoded, broken = decode_for_views(batch, self.views, draws, partial(self._draw_backgrounds, keys))
            if not broken:
                break
            # Some files turn out to be broken only when they are decoded.
            for row, error in broken.items():
                self._note(sources[row], error, errors)
                images.pop(sources[row], None)
        views = [self.make_view(number, view.images, view.draws) for number, view in enumerate(decoded)]
        skipped = [_skip(samples[number], errors[number]) for number in sorted(errors)]
        return views, [samples[source] for source in sources], skipped

    def _load_all(
        self, samples: list[Sample]
    ) -> tuple[dict[int, Tensor | EncodedImage | TransparentImage], dict[int, UserError]]:
        """Return the images that can be loaded, and the errors of the others, by the number of the sample."""
        images: dict[int, Tensor | EncodedImage | TransparentImage] = {}
        errors: dict[int, UserError] = {}
        for number, sample in enumerate(samples):
            try:
                images[number] = self.load(sample)
            except UserError as error:
                self._note(number, error, errors)
        return images, errors

    def _note(self, number: int, error: UserError, errors: dict[int, UserError]) -> None:
        """Note that a sample cannot be read; raise the error unless such samples are skipped."""
        if self.on_error == "raise":
            raise error
        errors[number] = error

    def _draw_backgrounds(self, keys: SampleKeys, view: int) -> list[Color]:
        """Return a color for each sample of a view, from which transparent pixels of a random background are made.

        Views differ in it. If they did not, the background would tell a model which views show the same image.
        """
        return [tuple(color) for color in keys.child(f"background {view}").uniform(size=(3,)).tolist()]

    def _draw(
        self, keys: SampleKeys, images: Tensor | Sequence[Tensor | EncodedImage | TransparentImage]
    ) -> list[list[Draw]]:
        """Draw every view; views of the same plan, as `repeat` makes them, are drawn together."""
        draws: dict[int, list[Draw]] = {}
        for plan in self.views:
            numbers = [number for number, other in enumerate(self.views) if other is plan and number not in draws]
            if numbers:
                draws.update(zip(numbers, plan.draw_views(keys, numbers, images), strict=True))
        return [draws[number] for number in range(len(self.views))]


def _replace_missing(images: Collection[int], count: int, errors: dict[int, UserError]) -> list[int]:
    """Return for each of `count` samples the number of the image that is shown: its own, or else the next readable one.

    The search wraps around. Views keep the draws of their own sample, so a batch does not hold the same view twice.
    """
    if not images:
        reason = errors[min(errors)] if errors else "there is none"
        raise UserError(f"no image of a batch of {count} can be read; the first: {reason}", code="image")
    readable = sorted(images)
    return [readable[bisect_left(readable, number) % len(readable)] for number in range(count)]


def _skip(sample: Sample, error: UserError) -> Skipped:
    return Skipped(-1 if sample.index is None else sample.index, str(error))


def _targets(samples: list[Sample]) -> Tensor | None:
    known = [sample.target for sample in samples if not (sample.target is None or is_segmentation_mask(sample.target))]
    if not known or len(known) < len(samples):
        return None
    if any(is_label_set(target) for target in known):
        return torch.stack([torch.as_tensor(target) for target in known])
    return torch.tensor(known)
