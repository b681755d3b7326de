"""The order in which an epoch has the samples of shards that are read from start to end."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def epoch_order(
    counts: np.ndarray,
    generator: torch.Generator,
    *,
    batch_size: int,
    world_size: int,
    lanes: int,
    shuffle: int,
) -> Tensor:
    """The samples' numbers in the order of an epoch, int64 (B * batch_size,): whole batches, and nothing twice.

    counts: the samples of each shard. The shards in a random order, one after the other, are cut into the lanes' parts.
    With L lanes, process r of R reads lanes r, r + R, …, L / R of them, and takes its share of batch k from the k-th of
    them, over and over. So of W workers, which torch gives batches in turn, each reads lanes of its own where L is a
    multiple of R * W. A single lane is everybody's.

    Within its lane a sample comes by up to `shuffle` places later than it is read.
    """
    starts = np.cumsum(counts) - counts
    shards = torch.randperm(len(counts), generator=generator).numpy()
    stream = torch.from_numpy(np.concatenate([np.arange(starts[n], starts[n] + counts[n]) for n in shards]))
    batches = len(stream) // batch_size
    processes = 1 if lanes == 1 else world_size
    turns, share = lanes // processes, batch_size // processes
    order = torch.empty(batches, processes, share, dtype=torch.int64)
    begin = 0
    for process in range(processes):
        for turn in range(turns):
            part = order[turn::turns, process]
            lane = stream[begin : begin + part.numel()]
            part.copy_(_moved(lane, shuffle, generator).view_as(part))
            begin += part.numel()
    return order.flatten()


def _moved(lane: Tensor, shuffle: int, generator: torch.Generator) -> Tensor:
    """The lane with each sample up to `shuffle` places later.

    It is what a shuffle buffer does, told beforehand: the sample that is read n-th leaves at n + u * shuffle, u uniform
    in [0, 1), so that no more than `shuffle` are ever in between.
    """
    leaves = torch.arange(len(lane), dtype=torch.float64)
    leaves += shuffle * torch.rand(len(lane), dtype=torch.float64, generator=generator)
    return lane[leaves.argsort(stable=True)]
