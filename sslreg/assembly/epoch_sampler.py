"""The sampler of a training: which samples an epoch has in which order, and which of them each rank gets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch.utils.data import Sampler

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
