"""The components keep their contracts, the loss equals lightly's, and the spec trains."""

from pathlib import Path

import lightly.loss
import torch
from sslreg.testing import conformance

from sslreg_tico.loss import TiCoLoss

SPEC = Path(__file__).parents[1] / "specs" / "digits-tico.yaml"

test_conformance = conformance.of("sslreg-tico")


def test_the_spec_trains() -> None:
    conformance.trains(SPEC, ["trainer.limit_train_batches=2"])


def test_three_steps_of_the_loss_equal_lightlys() -> None:
    loss, other = TiCoLoss(5, beta=0.7, rho=3.0).double(), lightly.loss.TiCoLoss(beta=0.7, rho=3.0)
    for _ in range(3):
        views = torch.randn(2, 16, 5, dtype=torch.float64).requires_grad_()
        value, expected = loss(*views), other(*views)
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)
        gradient, expected_gradient = (
            torch.autograd.grad(each, views)[0] for each in (value, expected)
        )
        torch.testing.assert_close(gradient, expected_gradient, rtol=1e-11, atol=1e-13)
        loss.commit()
    torch.testing.assert_close(loss.covariance, other.C, rtol=1e-12, atol=1e-12)


def test_accumulated_batches_count_alike() -> None:
    first, second = torch.randn(2, 2, 8, 4)
    loss, whole = TiCoLoss(4), TiCoLoss(4)
    loss(*first)
    loss(*second)
    loss.commit()
    whole(*torch.cat([first, second], dim=1))
    whole.commit()
    torch.testing.assert_close(loss.covariance, whole.covariance)


def test_a_skipped_step_leaves_the_covariance() -> None:
    loss = TiCoLoss(4)
    loss(*torch.randn(2, 8, 4))
    loss.discard()
    loss.commit()
    assert not loss.covariance.any()
