"""The training loader: which samples in which order, and how a failure in a worker comes home."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch.utils.data import DataLoader, Sampler

from sslreg.assembly import Pipeline, ReplaceUnreadable, leave_signals_to_parent
from sslreg.assembly.loader_workers import start_method
from sslreg.contracts import Batch, Sample
from sslreg.errors import Diagnostic, SslregError
from sslreg.training.prefetch import PrefetchingDataLoader
from sslreg.views import BatchInFlight, DeferredBatch

#: See `sslreg.Dataset.order`.
Order = Callable[[torch.Generator, int, int], torch.Tensor]


class EpochSampler(Sampler[tuple[int, int]]):
    """Yields ``(epoch, index)`` in an order that depends on the seed and the epoch, and on the data set's `order`.

    The order is cut into batches over all ranks, and a rank gets its share of each: rank r the r-th block. So the
    ranks' shares side by side are the batch that one process would see. Incomplete batches are dropped.

    order: `SampleDataset.order`; a permutation if none is given. epoch, batches: where to begin; the first pass leaves
    out so many batches of its epoch.
    """

    def __init__(
        self,
        num_samples: int,
        batch_size: int,
        *,
        order: Order | None = None,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        epoch: int = 0,
        batches: int = 0,
    ) -> None:
        self.num_samples = num_samples
        self.batch_size = batch_size
        self.order = order or partial(_permutation, num_samples)
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.epoch = epoch
        self.batches_done = batches

    @property
    def share(self) -> int:
        """Samples of a batch that go to one rank."""
        return self.batch_size // self.world_size

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer before each pass."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Of a whole pass."""
        return self.num_samples // self.batch_size * self.share

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = self.order(epoch_generator(self.seed, self.epoch), self.batch_size, self.world_size)
        begin, self.batches_done = self.batches_done * self.batch_size, 0
        for start in range(begin, self.num_samples - self.batch_size + 1, self.batch_size):
            first = start + self.rank * self.share
            for index in order[first : first + self.share]:
                yield self.epoch, int(index)


def _permutation(num_samples: int, generator: torch.Generator, batch_size: int, world_size: int) -> torch.Tensor:
    return torch.randperm(num_samples, generator=generator)


def epoch_generator(seed: int, epoch: int) -> torch.Generator:
    """Where an epoch's order is drawn from, the same for the same seed and epoch."""
    # Two generators, so that neighboring seeds and epochs do not share orders (seed 1, epoch 0 and seed 0, epoch 1).
    offset = int(torch.randint(2**62, (), generator=torch.Generator().manual_seed(seed)))
    return torch.Generator().manual_seed(offset + epoch)


@dataclass(frozen=True)
class Failure:
    """What a worker returns in place of a batch when a sample cannot be used.

    An exception would reach the main process with the worker's traceback for a message.
    """

    diagnostics: tuple[Diagnostic, ...]
    error: type[SslregError]


class Guarded:
    """A collate whose `SslregError`s come back as a `Failure`."""

    def __init__(self, collate: ReplaceUnreadable) -> None:
        self.collate = collate

    def __call__(self, samples: list[Sample]) -> Batch | DeferredBatch | Failure:
        try:
            return self.collate(samples)
        except SslregError as error:
            return Failure(error.diagnostics, type(error))


def arrived(batch: Batch | DeferredBatch | BatchInFlight | Failure, device: torch.device) -> Batch:
    """The batch on its device, finished. The error that a worker met is raised here."""
    if isinstance(batch, Failure):
        raise batch.error(*batch.diagnostics)
    if isinstance(batch, BatchInFlight):
        return batch.wait()
    if isinstance(batch, DeferredBatch):
        return batch.finish(device)
    return batch.to(device, non_blocking=True)


def training_loader(
    pipeline: Pipeline, *, rank: int, world_size: int, device: torch.device, epoch: int = 0, batches: int = 0
) -> DataLoader[Any]:
    """The loader that a rank trains from. epoch, batches: where its first pass begins."""
    data = pipeline.spec.data
    sampler = EpochSampler(
        len(pipeline.train),
        data.batch_size,
        order=pipeline.train.order,
        seed=pipeline.spec.seed,
        rank=rank,
        world_size=world_size,
        epoch=epoch,
        batches=batches,
    )
    kind: Callable[..., DataLoader[Any]] = DataLoader
    if device.type == "cuda":
        kind = partial(PrefetchingDataLoader, device=device)
    return kind(
        pipeline.train,
        batch_size=sampler.share,
        sampler=sampler,
        num_workers=data.workers,
        multiprocessing_context=start_method(data.workers, world_size),
        collate_fn=Guarded(ReplaceUnreadable(pipeline.collate, pipeline.train)),
        worker_init_fn=leave_signals_to_parent,
        drop_last=True,
        pin_memory=device.type == "cuda",
        persistent_workers=data.workers > 0,
        # Its own, so that beginning a pass draws nothing from the generator whose state a checkpoint carries.
        generator=torch.Generator(),
    )
