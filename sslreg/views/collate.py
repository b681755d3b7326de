"""The collate function: a batch of samples goes in, augmented views come out."""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from sslreg.contracts.augmentation import Images
from sslreg.contracts.batch import Batch, ImageLike, Sample
from sslreg.errors import UserError
from sslreg.images import EncodedImage, Readers, load_image, open_image
from sslreg.views.deferred_batch import DeferredBatch, DeferredView
from sslreg.views.image_batches import together
from sslreg.views.malloc import keep_freed_memory
from sslreg.views.plan import Drawn, ViewPlan
from sslreg.views.randomness import SampleKeys
from sslreg.views.reduced_decoding import decode_for_views

log = logging.getLogger(__name__)

#: Pixels, or a file that is not decoded yet.
Image = TypeVar("Image", Tensor, Tensor | EncodedImage)

#: The key of `Batch.extras` under which the samples that could not be read are listed.
SKIPPED = "skipped"


@dataclass(frozen=True)
class Skipped:
    """A sample that could not be read: its index (-1 outside of a run) and why."""

    index: int
    reason: str


class Collate:
    """Makes a `Batch` of views out of a list of samples; give it to a DataLoader as ``collate_fn``.

    views: one plan per view. seed: the run's. channels: what every image is brought to, see `load_image`.
    on_error: ``raise`` stops at an image that cannot be read; ``skip`` puts another image of the batch in its place,
        augmented on its own, and lists the `Skipped` under ``extras["skipped"]``.
    keep_params: whether `Batch.params` tells what was drawn.
    readers: those that may open encoded images; by default all that are installed.
    device: where the part of the plans that belongs on a device will run. With a device the call returns a
        `DeferredBatch`, whose ``finish(device)`` gives the batch; on the CPU that is the same work, later.

    A sample is a `Sample`, an ``(image, target)`` pair or a bare image. The views of a Sample with index and epoch
    depend on these and on the seed alone; others are drawn from torch's generator.

    To change what a batch is made of, override `load`, `make_view` or `extras`. Instances are not changed by a call,
    and can be pickled as long as their subclass can.
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
        """UserError: an image cannot be read or is too small, or the samples cannot be meant."""
        if get_worker_info() is not None:
            keep_freed_memory()
        asked = [as_sample(item) for item in samples]
        keys = self._keys(asked)
        views, used, skipped = self._make_views(asked, keys)
        for one in skipped:
            log.warning("skipped sample %s: %s", one.index, one.reason)
        pending = DeferredBatch(
            views,
            Batch(
                views=[],
                targets=_targets(used),
                indices=torch.tensor([-1 if sample.index is None else sample.index for sample in used]),
                groups=tuple(view.group for view in self.views),
                extras=self.extras(used) | ({SKIPPED: skipped} if skipped else {}),
            ),
            self.keep_params,
        )
        return pending.finish("cpu") if self.device is None else pending

    def load(self, sample: Sample) -> Tensor:
        """A sample's image (C, H, W), uint8, or float32 in [0, 1]. UserError: it cannot be read."""
        return load_image(sample.image, self.channels, self.readers)

    def _open(self, sample: Sample) -> Tensor | EncodedImage:
        return open_image(sample.image, self.channels, self.readers)

    def make_view(self, number: int, images: list[Tensor], keys: SampleKeys) -> DeferredView:
        """View `number` of N images as far as the host makes it."""
        drawn = self.views[number].draw(keys, number, images)
        return self._on_host(number, together(images), drawn, drawn)

    def extras(self, samples: list[Sample]) -> dict[str, Any]:
        """What else the batch should carry, as `Batch.extras`; tensors in it move with the batch."""
        return {}

    def _keys(self, samples: list[Sample]) -> SampleKeys:
        placed = [n for n, sample in enumerate(samples) if sample.index is not None and sample.epoch is not None]
        known = SampleKeys.of_samples(
            self.seed,
            [samples[n].epoch or 0 for n in placed],
            [samples[n].index or 0 for n in placed],
        )
        if len(placed) == len(samples):
            return known
        return SampleKeys.from_torch(len(samples)).with_rows(placed, known)

    def _make_views(
        self, samples: list[Sample], keys: SampleKeys
    ) -> tuple[list[DeferredView], list[Sample], list[Skipped]]:
        """The views as far as the host makes them, the samples that they are of, and those that were replaced."""
        # A collate of one's own that changes how images are read, or what becomes of them, gets them whole.
        if type(self).load is Collate.load and type(self).make_view is Collate.make_view:
            files, used, skipped = self._load_all(
                samples, lambda sample: open_image(sample.image, self.channels, self.readers)
            )
            try:
                return self._views_of_files(files, keys), used, skipped
            except UserError:
                # Some broken files are found when they are decoded. To leave them out takes another pass.
                if self.on_error == "raise":
                    raise
        images, used, skipped = self._load_all(samples, self.load)
        return [self.make_view(number, images, keys) for number in range(len(self.views))], used, skipped

    def _views_of_files(self, files: list[Tensor | EncodedImage], keys: SampleKeys) -> list[DeferredView]:
        images = together(files)
        drawn = self._draw(keys, images)
        decoded = decode_for_views(images, self.views, drawn)
        return [
            self._on_host(number, one.images, one.adapted(self.views[number], drawn[number]), drawn[number])
            for number, one in enumerate(decoded)
        ]

    def _draw(self, keys: SampleKeys, images: Tensor | Sequence[Tensor | EncodedImage]) -> list[list[Drawn]]:
        """What each view draws; those of one plan, as `repeat` makes them, together."""
        drawn: dict[int, list[Drawn]] = {}
        for plan in self.views:
            numbers = [number for number, other in enumerate(self.views) if other is plan and number not in drawn]
            if numbers:
                drawn.update(zip(numbers, plan.draw_views(keys, numbers, images), strict=True))
        return [drawn[number] for number in range(len(self.views))]

    def _on_host(self, number: int, images: Images, applied: list[Drawn], drawn: list[Drawn]) -> DeferredView:
        """applied: what was drawn, as it is for these images."""
        plan, on_host = self.views[number], self.steps_on_host[number]
        host_part: Images = plan.run(images, applied, range(on_host))
        return DeferredView(plan, host_part, drawn, on_host)

    def _load_all(
        self, samples: list[Sample], load: Callable[[Sample], Image]
    ) -> tuple[list[Image], list[Sample], list[Skipped]]:
        """The images, the samples that they are of, and those that had to be replaced."""
        loaded: dict[int, Image] = {}
        skipped: list[Skipped] = []
        for number, sample in enumerate(samples):
            try:
                loaded[number] = load(sample)
            except UserError as error:
                if self.on_error == "raise":
                    raise
                skipped.append(Skipped(-1 if sample.index is None else sample.index, str(error)))
        if not loaded:
            raise UserError(
                f"no image of a batch of {len(samples)} can be read; the first: "
                f"{skipped[0].reason if skipped else 'there is none'}",
                code="image",
            )
        if not skipped:
            return list(loaded.values()), samples, []
        # A broken sample gives way to the next readable one, cyclically, and its views keep their own draws.
        readable = list(loaded)
        sources = [readable[bisect_left(readable, number) % len(readable)] for number in range(len(samples))]
        return [loaded[source] for source in sources], [samples[source] for source in sources], skipped


def as_sample(item: Sample | Sequence[Any] | ImageLike) -> Sample:
    """A data set's item as a Sample. UserError: it is none of a Sample, an (image, target) pair and an image."""
    if isinstance(item, Sample):
        return item
    if not isinstance(item, tuple | list):
        return Sample(item)  # type: ignore[arg-type]  # load_image says what is wrong with it
    if len(item) != 2:
        raise UserError(
            f"an item of the data set is a {type(item).__name__} of {len(item)}",
            hint="an item is a sslreg.Sample, an (image, target) pair or an image",
            code="sample",
        )
    image, target = item
    return Sample(image, _class_number(target))


def _class_number(target: Any) -> int | None:
    if target is None or isinstance(target, int):
        return target
    if isinstance(target, np.integer) or (isinstance(target, Tensor | np.ndarray) and target.ndim == 0):
        return int(target)
    raise UserError(
        f"a target is a {type(target).__name__}, not a class number",
        hint="give an integer or None; a collate of one's own can put anything else into the batch by `extras`",
        code="sample",
    )


def _targets(samples: list[Sample]) -> Tensor | None:
    targets = [sample.target for sample in samples]
    known = [target for target in targets if target is not None]
    return torch.tensor(known) if known and len(known) == len(targets) else None
