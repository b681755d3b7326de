"""The order in which samples are trained on."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from sslreg.assembly.epoch_sampler import EpochSampler


@given(share=st.integers(1, 7), world_size=st.integers(1, 4), samples=st.integers(1, 200), seed=st.integers(0, 2**62))
def test_the_ranks_shares_side_by_side_are_the_batches_of_one_process(
    share: int, world_size: int, samples: int, seed: int
) -> None:
    batch = share * world_size
    alone = list(EpochSampler(samples, batch, seed=seed))
    ranks = [list(EpochSampler(samples, batch, seed=seed, rank=r, world_size=world_size)) for r in range(world_size)]
    together = [
        item
        for start in range(0, len(alone) // world_size, share)
        for rank in ranks
        for item in rank[start : start + share]
    ]
    assert together == alone
    assert len(set(alone)) == len(alone) == samples // batch * batch
    assert all(len(rank) == len(EpochSampler(samples, batch, world_size=world_size)) for rank in ranks)


@given(data=st.data(), share=st.integers(1, 5), world_size=st.integers(1, 4), samples=st.integers(1, 120))
def test_ranks_that_resume_share_what_is_left_of_an_epoch_and_then_a_whole_one(
    data: st.DataObject, share: int, world_size: int, samples: int
) -> None:
    """Whatever the number of ranks was before: nothing is trained on twice in an epoch, and nothing is left out."""
    batch = share * world_size
    epoch, done = data.draw(st.integers(0, 9)), data.draw(st.integers(0, samples // batch))
    before = list(EpochSampler(samples, batch, epoch=epoch))
    ranks = [
        EpochSampler(samples, batch, rank=rank, world_size=world_size, epoch=epoch, batches=done)
        for rank in range(world_size)
    ]
    rest = [item for sampler in ranks for item in sampler]
    assert sorted(before[: done * batch] + rest) == sorted(before)
    assert len(rest) == len(before) - done * batch
    for sampler in ranks:
        sampler.set_epoch(epoch + 1)
    assert sorted(item for sampler in ranks for item in sampler) == sorted(
        EpochSampler(samples, batch, epoch=epoch + 1)
    )


def order(samples: int, seed: int, epoch: int) -> list[int]:
    return [index for _, index in EpochSampler(samples, 1, seed=seed, epoch=epoch)]


def test_the_order_is_a_function_of_seed_and_epoch() -> None:
    orders = {tuple(order(50, seed, epoch)) for seed in range(5) for epoch in range(5)}
    assert len(orders) == 25
    assert order(50, 3, 4) == order(50, 3, 4)


def test_the_epoch_goes_with_every_index() -> None:
    sampler = EpochSampler(10, 5)
    first = list(sampler)
    sampler.set_epoch(7)
    assert {epoch for epoch, _ in first} == {0}
    assert {epoch for epoch, _ in sampler} == {7}


@pytest.mark.parametrize("seed", [0, 2**63 - 1])
def test_any_seed_of_a_spec_will_do(seed: int) -> None:
    assert sorted(order(20, seed, 10**6)) == list(range(20))
