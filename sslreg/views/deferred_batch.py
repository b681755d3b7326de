"""A batch whose views the host has made in part; the device does the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor

from sslreg.contracts.augmentation import Images, Params
from sslreg.contracts.batch import Batch
from sslreg.views.plan import ViewPlan, to_batch
from sslreg.views.steps import Draw


@dataclass
class DeferredView:
    """A view after the first steps of its plan.

    Attributes:
        plan: the plan of the view.
        images: the images after these steps.
        draws: of all steps of the plan.
        steps_done: the number of steps that have run.
    """

    plan: ViewPlan
    images: Images
    draws: list[Draw]
    steps_done: int

    def finish(self, device: torch.device | str) -> Tensor:
        """Run the remaining steps on a device and return the view, float32 (N, C, H, W)."""
        images = _map(self.images, lambda image: image.to(device, non_blocking=True))
        return to_batch(self.plan.run(images, self.draws, range(self.steps_done, len(self.plan.steps))))

    def params(self) -> dict[str, Params]:
        """Return the params of each operation by its name; the second of a name is ``name[1]``."""
        return self.plan.params(self.draws)

    def pin_memory(self) -> DeferredView:
        """Return the view with its images in page-locked memory."""
        return replace(self, images=_map(self.images, Tensor.pin_memory))


@dataclass
class DeferredBatch:
    """The result of a `Collate` with a device: `finish` turns it into the batch.

    Attributes:
        views: the views that the host has made in part.
        batch: the batch without views and params.
        keep_params: whether `Batch.params` is filled.
    """

    views: list[DeferredView]
    batch: Batch
    keep_params: bool = False

    def __len__(self) -> int:
        return len(self.batch)

    def finish(self, device: torch.device | str) -> Batch:
        """Finish the views on a device and return the batch there."""
        return self.start(device).wait()

    def start(self, device: torch.device | str) -> BatchInFlight:
        """Start to finish the batch on a device; on CUDA, on a separate stream, concurrently with other work."""
        if torch.device(device).type != "cuda":
            return BatchInFlight(self._make_batch(device))
        with torch.cuda.stream(_stream(_number(torch.device(device)))):
            batch = self._make_batch(device)
            ready = torch.cuda.Event()  # type: ignore[no-untyped-call]
            ready.record()
        return BatchInFlight(batch, ready)

    def _make_batch(self, device: torch.device | str) -> Batch:
        batch = self.batch.to(device, non_blocking=True)
        batch.views = [view.finish(device) for view in self.views]
        batch.params = [view.params() for view in self.views] if self.keep_params else None
        return batch

    def pin_memory(self) -> DeferredBatch:
        """Return the batch in page-locked memory; a DataLoader with ``pin_memory`` calls it."""
        return replace(self, views=[view.pin_memory() for view in self.views], batch=self.batch.pin_memory())


@dataclass
class BatchInFlight:
    """A batch on which a device works.

    Attributes:
        batch: the batch, possibly without its values yet.
        ready: the CUDA event after which the batch has its values; None if it has them.
    """

    batch: Batch
    ready: torch.cuda.Event | None = None

    def wait(self) -> Batch:
        """Return the batch, and have the current CUDA stream wait for it; the host does not wait."""
        if self.ready is not None:
            stream = torch.cuda.current_stream(self.batch.indices.device)
            stream.wait_event(self.ready)
            for tensor in (*self.batch.views, self.batch.targets, self.batch.indices, *self.batch.extras.values()):
                if isinstance(tensor, Tensor) and tensor.is_cuda:
                    # The memory belongs to the other stream, which would reuse it before this one has read it.
                    tensor.record_stream(stream)
        return self.batch


@cache
def _stream(number: int) -> torch.cuda.Stream:
    """Return the stream for batches of the GPU of this number."""
    return torch.cuda.Stream(number)  # type: ignore[no-untyped-call]


def _number(device: torch.device) -> int:
    return torch.cuda.current_device() if device.index is None else device.index


def _map(images: Images, change: Callable[[Tensor], Tensor]) -> Images:
    return change(images) if isinstance(images, Tensor) else [change(image) for image in images]
