"""The components keep their contracts, the loss is the paper's, and the spec trains."""

from pathlib import Path

import pytest
import torch
from sslreg.testing import conformance

from sslreg_barlow.loss import BarlowTwinsLoss

SPEC = Path(__file__).parents[1] / "specs" / "digits-barlow.yaml"

test_conformance = conformance.of("sslreg-barlow")


def test_the_spec_trains() -> None:
    conformance.trains(SPEC, ["trainer.limit_train_batches=2"])


def test_the_loss_is_that_of_equation_1() -> None:
    first, second = torch.randn(2, 64, 5, dtype=torch.float64)
    expected = torch.zeros((), dtype=torch.float64)
    for i in range(5):
        for j in range(5):
            correlation = torch.corrcoef(torch.stack((first[:, i], second[:, j])))[0, 1]
            expected += (1 - correlation) ** 2 if i == j else 0.01 * correlation**2
    loss = BarlowTwinsLoss(redundancy=0.01)(first, second)
    torch.testing.assert_close(loss, expected, rtol=1e-3, atol=0)


def test_it_is_smallest_if_views_agree_and_dimensions_are_independent() -> None:
    independent = torch.linalg.qr(torch.randn(64, 9)).Q[:, 1:]
    collapsed = independent[:, :1].expand(64, 8)
    loss = BarlowTwinsLoss()
    assert loss(independent, independent) < loss(collapsed, collapsed)


def test_one_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="at least two samples, not 1"):
        BarlowTwinsLoss()(torch.randn(1, 4), torch.randn(1, 4))
