import numpy as np
import pytest
import torch
from scipy import stats

from sslreg.views import noise_like


def test_the_values_are_pinned() -> None:
    # A change here changes every run that anyone wants to repeat.
    assert noise_like(torch.tensor([7]), (3,)).tolist() == [
        [0.4035508632659912, 0.5268750190734863, 0.3495992422103882]
    ]


@pytest.mark.parametrize(("kind", "cdf"), [("uniform", stats.uniform.cdf), ("normal", stats.norm.cdf)])
def test_noise_has_its_distribution_and_no_pattern(kind: str, cdf: object) -> None:
    field = noise_like(torch.tensor([0, 1]), (100, 150), kind=kind)  # type: ignore[arg-type]
    assert field.shape == (2, 100, 150)
    assert field.dtype == torch.float32
    assert stats.kstest(field[0].flatten().double(), cdf).pvalue > 1e-3
    shifted = [field[0, :-1, :-1], field[0, 1:, :-1], field[0, :-1, 1:], field[1, :-1, :-1]]
    assert np.abs(np.corrcoef([one.flatten() for one in shifted]) - np.eye(4)).max() < 0.04


def test_noise_depends_on_its_own_seed_alone() -> None:
    seeds = torch.tensor([5, -(2**62), 5 + 2**32])
    together = noise_like(seeds, (3, 4))
    assert torch.equal(together[1:2], noise_like(seeds[1:2], (3, 4)))
    assert not torch.equal(together[0], together[2])


def test_noise_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="uniform"):
        noise_like(torch.tensor([0]), (2,), kind="pink")  # type: ignore[arg-type]
