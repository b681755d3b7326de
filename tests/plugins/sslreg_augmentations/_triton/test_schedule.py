"""Passes run every instruction of the programs once and in order, and stop where a pixel waits for others."""

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from sslreg_augmentations._opcodes import BLUR, BRIGHTNESS, CONTRAST, NO_OP, NORMALIZE
from sslreg_augmentations._triton.schedule import COLUMNS, Pass, make_schedule, split_into_passes

programs = st.integers(1, 7).flatmap(
    lambda steps: st.lists(
        st.lists(st.sampled_from([NO_OP, BRIGHTNESS, CONTRAST, BLUR, NORMALIZE]), min_size=steps, max_size=steps),
        min_size=1,
        max_size=5,
    )
)


@pytest.fixture
def backend() -> None:
    """Nothing here depends on it."""


def order_of_instructions(passes: list[Pass], codes: list[int], n: int) -> list[int]:
    """Return the instructions in the order in which they run on image n, and check each pass."""
    order: list[int] = []
    for number, one in enumerate(passes):
        begin, stop, end = int(one.begin[n]), int(one.stop[n]), int(one.end[n])
        changes = codes[begin:stop]
        assert BLUR not in changes
        assert CONTRAST not in changes[int(one.contrast[n]) + 1 - begin :]
        assert (n in one.contrasted[: one.contrasted_count]) == (CONTRAST in changes)
        assert not changes or n in one.changed[: one.changed_count]
        order += range(begin, stop)
        blurs = n in one.blurred[: one.blurred_count]
        assert blurs == (one.radius[n] > 0)
        if blurs:
            assert codes[stop] == BLUR
            assert not {BLUR, CONTRAST} & set(codes[stop + 1 : end])
            order += range(stop, end)
        else:
            assert end == stop
        assert number or n in one.changed[: one.changed_count]
    return order


@given(programs)
def test_every_instruction_acts_once_and_in_order(codes: list[list[int]]) -> None:
    passes = split_into_passes(np.array(codes), np.ones((len(codes), len(codes[0])), np.int64))
    for n, program in enumerate(codes):
        assert order_of_instructions(passes, program, n) == list(range(len(program)))


@given(programs, st.integers(0, 4))
def test_an_images_passes_do_not_depend_on_the_others(codes: list[list[int]], n: int) -> None:
    n %= len(codes)
    together, alone = (
        split_into_passes(np.array(some), np.ones((len(some), len(some[0])), np.int64))
        for some in (codes, codes[n : n + 1])
    )
    for one, other in zip(alone, together, strict=False):
        for name in ("begin", "contrast", "stop", "end", "radius"):
            assert getattr(one, name)[0] == getattr(other, name)[n]
    assert all(one.begin[n] == len(codes[n]) for one in together[len(alone) :])


def test_simclr_is_one_pass() -> None:
    codes = np.array([[BRIGHTNESS, CONTRAST, NO_OP, BLUR, NORMALIZE], [CONTRAST, BRIGHTNESS, NO_OP, NO_OP, NORMALIZE]])
    (only,) = split_into_passes(codes, np.full((2, 5), 4))
    assert only.contrast.tolist() == [1, 0]
    assert only.stop.tolist() == [3, 5]
    assert only.end.tolist() == [5, 5]
    assert only.radius.tolist() == [4, 0]
    assert only.blurred[: only.blurred_count].tolist() == [0]


def test_a_schedule_holds_passes_codes_factors_and_statistics_of_each_image() -> None:
    codes = torch.tensor([[BLUR, NORMALIZE], [NO_OP, NORMALIZE]])
    factors = torch.tensor([[0.5, 0.0], [2.0, 0.0]])
    made = make_schedule(codes, factors, torch.tensor([0.25]), torch.tensor([0.75]), reach=3.0)
    head, rest = made.values[:, : len(COLUMNS)], made.values[:, len(COLUMNS) :]
    assert head[:, COLUMNS.index("radius")].tolist() == [2, 0]
    assert torch.equal(rest[:, :2], codes.int())
    floats = rest[:, 2:].contiguous().view(torch.float32)
    assert floats.tolist() == [[0.5, 0.0, 0.25, 0.75], [2.0, 0.0, 0.25, 0.75]]
