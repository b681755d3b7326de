"""The data loader of the training: the order of the samples, and errors that come back from its workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch.utils.data import DataLoader, Sampler

from sslreg.assembly import Pipeline, ReplaceUnreadable, ignore_stop_signals
from sslreg.assembly.loader_workers import worker_start_method
from sslreg.contracts import Batch, Sample
from sslreg.errors import Diagnostic, SslregError
from sslreg.training.prefetch import PrefetchingDataLoader
from sslreg.views import BatchInFlight, DeferredBatch

#: See `sslreg.Dataset.order`.
Order = Callable[[torch.Generator, int, int], torch.Tensor]


class EpochSampler(Sampler[tuple[int, int]]):
    """A sampler of ``(epoch, index)`` in an order that depends on the seed, the epoch and the data set's `order`.

    The order is cut into global batches, and each rank gets a share: rank r the r-th block. The concatenated shares of
    all ranks are therefore the batch that a single process would see. Incomplete batches are dropped.

    Args:
        num_samples: The size of the data set.
        batch_size: The size of a global batch.
        order: `SampleDataset.order`; by default a permutation.
        seed: The seed of the order.
        rank: The rank of this process.
        world_size: The number of processes.
        epoch: The epoch of the first pass.
        batches: The number of batches that the first pass omits, because they are done.
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
        """The number of samples of a batch that go to one rank."""
        return self.batch_size // self.world_size

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the next pass. The trainer calls this."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Return the number of samples in a whole pass."""
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
    """Return the generator for an epoch's order, which depends on the seed and the epoch alone."""
    # Two generators, so that seed 1, epoch 0 and seed 0, epoch 1 have different orders.
    offset = int(torch.randint(2**62, (), generator=torch.Generator().manual_seed(seed)))
    return torch.Generator().manual_seed(offset + epoch)


@dataclass(frozen=True)
class CollateError:
    """The error that a worker returns in place of a batch.

    The message of an exception would contain the worker's traceback.
    """

    diagnostics: tuple[Diagnostic, ...]
    error: type[SslregError]


class ErrorReturningCollate:
    """A collate function that returns an SslregError as a `CollateError` instead of raising it."""

    def __init__(self, collate: ReplaceUnreadable) -> None:
        self.collate = collate

    def __call__(self, samples: list[Sample]) -> Batch | DeferredBatch | CollateError:
        try:
            return self.collate(samples)
        except SslregError as error:
            return CollateError(error.diagnostics, type(error))


def finish_batch(batch: Batch | DeferredBatch | BatchInFlight | CollateError, device: torch.device) -> Batch:
    """Return the finished batch on its device, or raise the error that a worker returned."""
    if isinstance(batch, CollateError):
        raise batch.error(*batch.diagnostics)
    if isinstance(batch, BatchInFlight):
        return batch.wait()
    if isinstance(batch, DeferredBatch):
        return batch.finish(device)
    return batch.to(device, non_blocking=True)


def build_training_loader(
    pipeline: Pipeline, *, rank: int, world_size: int, device: torch.device, epoch: int = 0, batches: int = 0
) -> DataLoader[Any]:
    """Build the data loader of a rank.

    Args:
        pipeline: The data set and the collate function.
        rank: The rank of this process.
        world_size: The number of processes.
        device: The device that trains.
        epoch: The epoch of the first pass.
        batches: The number of batches of that epoch that are done.
    """
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
    loader_type: Callable[..., DataLoader[Any]] = DataLoader
    if device.type == "cuda":
        loader_type = partial(PrefetchingDataLoader, device=device)
    return loader_type(
        pipeline.train,
        batch_size=sampler.share,
        sampler=sampler,
        num_workers=data.workers,
        multiprocessing_context=worker_start_method(data.workers, world_size),
        collate_fn=ErrorReturningCollate(ReplaceUnreadable(pipeline.collate, pipeline.train)),
        worker_init_fn=ignore_stop_signals,
        drop_last=True,
        pin_memory=device.type == "cuda",
        persistent_workers=data.workers > 0,
        # A separate generator: the start of a pass must not draw from the one whose state a checkpoint holds.
        generator=torch.Generator(),
    )
