"""The order of samples in an epoch over shards that are read from start to end."""

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
    """Return the samples' numbers in the order of an epoch, int64 (B * batch_size,): whole batches, nothing twice.

    The shards are put in a random order and cut into parts, one for each lane. Of L lanes, process r of R reads the
    L / R lanes r, r + R, …, and takes its share of the batches from these lanes in turn. torch gives batches to W
    workers in turn, so if L is a multiple of R * W, no two workers read the same lane. All processes read a single
    lane.

    Args:
        counts: The number of samples of each shard.
        generator: The source of randomness.
        batch_size: Samples in a batch, over all processes.
        world_size: R.
        lanes: L.
        shuffle: By how many positions at most a sample comes later than it is read in its lane.
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
            part.copy_(_shuffle_lane(lane, shuffle, generator).view_as(part))
            begin += part.numel()
    return order.flatten()


def _shuffle_lane(lane: Tensor, shuffle: int, generator: torch.Generator) -> Tensor:
    """Return the lane with each sample moved back by up to `shuffle` positions.

    This is the order of a shuffle buffer, computed in advance: the n-th sample leaves at n + u * shuffle, with u
    uniform in [0, 1), so that the buffer never holds more than `shuffle` samples.
    """
    leaves = torch.arange(len(lane), dtype=torch.float64)
    leaves += shuffle * torch.rand(len(lane), dtype=torch.float64, generator=generator)
    return lane[leaves.argsort(stable=True)]
