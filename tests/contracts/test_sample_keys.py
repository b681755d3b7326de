import math

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from scipy import stats

from sslreg.contracts import SampleKeys

N = 20_000


def keys(n: int = N, seed: int = 0, epoch: int = 0, first: int = 0) -> SampleKeys:
    return SampleKeys.of_samples(seed, [epoch] * n, list(range(first, first + n))).for_operations([0], [("test", 0)])[0]


@given(st.integers(1, 40), st.integers(0, 40))
def test_draws_do_not_depend_on_the_batch_around_a_sample(size: int, first: int) -> None:
    part, whole = keys(size, first=first), keys(80)
    rows = slice(first, first + size)
    for draw in ("uniform", "normal", "seeds"):
        assert torch.equal(getattr(part, draw)(), getattr(whole, draw)()[rows])
    assert torch.equal(part.uniform(0, 1, (3, 2)), whole.uniform(0, 1, (3, 2))[rows])
    assert torch.equal(part.permutation(5), whole.permutation(5)[rows])


@pytest.mark.parametrize("other", [keys(seed=1), keys(epoch=1), keys(first=N), keys().child("other")])
def test_seed_epoch_index_and_name_each_change_the_draws(other: SampleKeys) -> None:
    a, b = keys().uniform(), other.uniform()
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.03
    assert not (a == b).any()


def test_views_operations_and_occurrences_have_draws_of_their_own() -> None:
    samples = SampleKeys.of_samples(0, [0] * N, list(range(N)))
    draws = [
        keys.uniform()
        for keys in (
            *samples.for_operations([0], [("a", 0), ("b", 0), ("a", 1)]),
            *samples.for_operations([1], [("a", 0)]),
        )
    ]
    assert np.abs(np.corrcoef(torch.stack(draws)) - np.eye(4)).max() < 0.03


def test_drawing_from_a_child_leaves_the_parent_alone() -> None:
    a, b = keys(), keys()
    a.child("nested").uniform()
    assert torch.equal(a.uniform(), b.uniform())


def test_the_values_are_pinned() -> None:
    # A change here changes every run that anyone wants to repeat.
    drawn = SampleKeys.of_samples(3, [1, 1], [0, 2**40]).for_operations([1], [("color_jitter", 0)])[0]
    assert drawn.seeds().tolist() == [-8855382189318353383, -3719139268118526351]


def test_uniform_fills_its_interval_evenly() -> None:
    values = keys().uniform(-2.0, 3.0)
    assert values.dtype == torch.float32
    assert stats.kstest(values.double(), stats.uniform(-2.0, 5.0).cdf).pvalue > 1e-3


def test_uniform_never_reaches_its_upper_bound() -> None:
    high = torch.nextafter(torch.ones(N), torch.tensor(2.0))
    assert (keys().uniform(torch.ones(N), high) < high).all()
    assert (keys().uniform(0.5, 0.5) == 0.5).all()


def test_normal_is_normal() -> None:
    assert stats.kstest(keys().normal(1.0, 2.0).double(), stats.norm(1.0, 2.0).cdf).pvalue > 1e-3


def test_successive_draws_and_neighbors_are_independent() -> None:
    drawn = keys()
    a, b, c = drawn.uniform().numpy(), drawn.uniform().numpy(), drawn.uniform(size=(2,)).numpy()
    rows = [a, b, *c.T, np.roll(a, 1)]
    assert np.abs(np.corrcoef(rows) - np.eye(5)).max() < 0.03


def test_integers_are_evenly_spread_up_to_their_bounds() -> None:
    values = keys().integers(-1, 4)
    assert values.dtype == torch.int64
    assert stats.chisquare(np.unique(values, return_counts=True)[1]).pvalue > 1e-3
    assert (set(values.tolist())) == {-1, 0, 1, 2, 3}


def test_bounds_may_differ_by_sample() -> None:
    high = torch.arange(1, N + 1)
    values = keys().integers(0, high, (2,))
    assert values.shape == (N, 2)
    assert (values < high[:, None]).all()
    assert (values >= 0).all()


def test_an_empty_range_of_integers_is_refused() -> None:
    with pytest.raises(ValueError, match="no integer"):
        keys(2).integers(3, 3)


def test_bernoulli_has_its_probability() -> None:
    assert keys().bernoulli(0.3).float().mean() == pytest.approx(0.3, abs=0.015)
    assert not keys().bernoulli(0.0).any()
    assert keys().bernoulli(1.0).all()


def test_every_permutation_is_as_likely() -> None:
    orders = keys().permutation(3)
    counts = np.unique(orders @ torch.tensor([9, 3, 1]), return_counts=True)[1]
    assert len(counts) == math.factorial(3)
    assert stats.chisquare(counts).pvalue > 1e-3


def test_samples_outside_of_a_run_are_drawn_from_torchs_generator() -> None:
    torch.manual_seed(0)
    first, second = SampleKeys.from_torch(3).uniform(), SampleKeys.from_torch(3).uniform()
    torch.manual_seed(0)
    assert torch.equal(SampleKeys.from_torch(3).uniform(), first)
    assert not torch.equal(first, second)
