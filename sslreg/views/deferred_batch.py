"""A batch whose views are made as far as the host makes them; the device does the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor

from sslreg.contracts.augmentation import Images, Params
from sslreg.contracts.batch import Batch
from sslreg.views.plan import Drawn, RoundToUint8, ViewPlan


@dataclass
class DeferredView:
    """A view after the first `done` steps of its plan: the images as they are then, and what every step drew."""

    plan: ViewPlan
    images: Images
    drawn: list[Drawn]
    done: int

    def finish(self, device: torch.device | str) -> Tensor:
        """The view, float32 (N, C, H, W), on the device."""
        images = _each(self.images, lambda image: image.to(device, non_blocking=True))
        return self.plan.finished(self.plan.run(images, self.drawn, range(self.done, len(self.plan.steps))))

    def params(self) -> dict[str, Params]:
        """What was drawn, by operation; the second of a name is ``name[1]``."""
        named: dict[str, Params] = {}
        for step, (name, before), drawn in zip(self.plan.steps, self.plan.names, self.drawn, strict=True):
            if not isinstance(step.augmentation, RoundToUint8):
                named[f"{name}[{before}]" if before else name] = drawn.params
        return named

    def pin_memory(self) -> DeferredView:
        return replace(self, images=_each(self.images, Tensor.pin_memory))


@dataclass
class DeferredBatch:
    """What a collate function with a device returns: `finish` makes the batch of it.

    batch: all but the views and their params.
    """

    views: list[DeferredView]
    batch: Batch
    keep_params: bool = False

    def __len__(self) -> int:
        return len(self.batch)

    def finish(self, device: torch.device | str) -> Batch:
        """The batch on a device, its views finished there."""
        return self.begin(device).arrive()

    def begin(self, device: torch.device | str) -> BatchInFlight:
        """Set a device to work on the batch. On CUDA it works beside what it is doing, on a stream for such batches."""
        if torch.device(device).type != "cuda":
            return BatchInFlight(self._on(device))
        with torch.cuda.stream(_stream(_number(torch.device(device)))):
            batch = self._on(device)
            done = torch.cuda.Event()  # type: ignore[no-untyped-call]
            done.record()
        return BatchInFlight(batch, done)

    def _on(self, device: torch.device | str) -> Batch:
        batch = self.batch.to(device, non_blocking=True)
        batch.views = [view.finish(device) for view in self.views]
        batch.params = [view.params() for view in self.views] if self.keep_params else None
        return batch

    def pin_memory(self) -> DeferredBatch:
        """The same in page-locked memory; a DataLoader calls it when told to pin."""
        return replace(self, views=[view.pin_memory() for view in self.views], batch=self.batch.pin_memory())


@dataclass
class BatchInFlight:
    """A batch that a device is at work on. done: what CUDA does when it is made; None where it already is."""

    batch: Batch
    done: torch.cuda.Event | None = None

    def arrive(self) -> Batch:
        """The batch, for the stream that is current: what it is then asked for waits, and the host does not."""
        if self.done is not None:
            stream = torch.cuda.current_stream(self.batch.indices.device)
            stream.wait_event(self.done)
            for tensor in (*self.batch.views, self.batch.targets, self.batch.indices, *self.batch.extras.values()):
                if isinstance(tensor, Tensor) and tensor.is_cuda:
                    # Its memory is the other stream's, which would use it again before this one has done its work.
                    tensor.record_stream(stream)
        return self.batch


@cache
def _stream(number: int) -> torch.cuda.Stream:
    """The stream on which batches are made, of the GPU of this number."""
    return torch.cuda.Stream(number)  # type: ignore[no-untyped-call]


def _number(device: torch.device) -> int:
    return torch.cuda.current_device() if device.index is None else device.index


def _each(images: Images, change: Callable[[Tensor], Tensor]) -> Images:
    return change(images) if isinstance(images, Tensor) else [change(image) for image in images]
