"""The order of an epoch over shards: what it promises to runs, workers and processes."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, strategies as st

from sslreg.assembly.epoch_sampler import EpochSampler, epoch_generator
from sslreg_datasets.webdataset_order import epoch_order

COUNTS = np.array([30, 50, 41, 7, 60, 52])


def order_of(
    *, batch_size: int = 8, world_size: int = 1, lanes: int = 1, shuffle: int = 20, seed: int = 0, epoch: int = 0
) -> torch.Tensor:
    return epoch_order(
        COUNTS,
        epoch_generator(seed, epoch),
        batch_size=batch_size,
        world_size=world_size,
        lanes=lanes,
        shuffle=shuffle,
    )


def shards_of(samples: torch.Tensor) -> list[int]:
    return np.searchsorted(COUNTS.cumsum(), samples.numpy(), side="right").tolist()


@given(
    counts=st.lists(st.integers(1, 40), min_size=1, max_size=8),
    share=st.integers(1, 4),
    world_size=st.integers(1, 3),
    turns=st.integers(1, 4),
    shuffle=st.integers(0, 60),
)
def test_every_batch_is_full_and_no_sample_comes_twice(
    counts: list[int], share: int, world_size: int, turns: int, shuffle: int
) -> None:
    batch_size = share * world_size
    for lanes in (1, turns * world_size):
        order = epoch_order(
            np.array(counts),
            torch.Generator().manual_seed(0),
            batch_size=batch_size,
            world_size=world_size,
            lanes=lanes,
            shuffle=shuffle,
        ).tolist()
        assert len(order) == len(set(order)) == sum(counts) // batch_size * batch_size
        assert set(order) <= set(range(sum(counts)))


def test_seed_and_epoch_alone_decide() -> None:
    orders = {tuple(order_of(seed=seed, epoch=epoch).tolist()) for seed in range(3) for epoch in range(3)}
    assert len(orders) == 9
    assert torch.equal(order_of(seed=1, epoch=2), order_of(seed=1, epoch=2))


def test_samples_leave_their_place_by_no_more_than_asked() -> None:
    """Reading up to what is asked for leaves no more than `shuffle` samples waiting."""
    for shuffle in (0, 1, 10, 300):
        order = order_of(shuffle=shuffle)
        read_at = {sample: n for n, sample in enumerate(order_of(shuffle=0).tolist())}
        read = 0
        for given_away, sample in enumerate(order.tolist(), start=1):
            read = max(read, read_at[sample] + 1)
            assert read - given_away <= shuffle
    assert order_of(shuffle=0).tolist() != order_of(shuffle=10).tolist()


def test_shards_come_whole_in_a_random_order_without_shuffling() -> None:
    shards = shards_of(order_of(shuffle=0, batch_size=1))
    runs = [shard for n, shard in enumerate(shards) if n == 0 or shards[n - 1] != shard]
    assert sorted(runs) == [0, 1, 2, 3, 4, 5] != runs


def test_workers_of_two_processes_read_shards_of_their_own() -> None:
    """Two processes with two workers each: torch gives batch k of a process to its worker k modulo 2."""
    readers: dict[tuple[int, int], list[int]] = {}
    for rank in range(2):
        sampler = EpochSampler(
            int(COUNTS.sum()),
            8,
            order=lambda generator, batch, world: epoch_order(
                COUNTS, generator, batch_size=batch, world_size=world, lanes=4, shuffle=20
            ),
            rank=rank,
            world_size=2,
        )
        indices = [index for _, index in sampler]
        for start in range(0, len(indices), 4):
            readers.setdefault((rank, start // 4 % 2), []).extend(indices[start : start + 4])
    samples = [sample for read in readers.values() for sample in read]
    assert len(samples) == len(set(samples)) == COUNTS.sum() // 8 * 8
    visits = [shard for read in readers.values() for shard in set(shards_of(torch.tensor(read)))]
    # The shards laid end to end are cut three times to share them out, so that three are read by two at most.
    assert len(visits) <= len(COUNTS) + 3
    assert max(len(read) for read in readers.values()) - min(len(read) for read in readers.values()) <= 4


def test_going_on_leaves_out_what_was_done() -> None:
    whole = list(EpochSampler(240, 8, order=lambda g, b, w: order_of(), epoch=1))
    assert list(EpochSampler(240, 8, order=lambda g, b, w: order_of(), epoch=1, batches=11)) == whole[88:]
