"""The losses under autocast, torch.compile, copying and second derivatives."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch

import sslreg
from sslreg_losses import BarlowTwinsLoss, DCLLoss, NTXentLoss, SupConLoss, VICRegLoss
from sslreg_memory_banks import FIFOMemoryBank

CONTRASTIVE = [
    NTXentLoss(),
    NTXentLoss(symmetric=False),
    NTXentLoss(memory_bank=FIFOMemoryBank(9, 5, fill="random")),
    DCLLoss(),
    SupConLoss(),
]
OTHERS = [BarlowTwinsLoss(), VICRegLoss()]


def arguments(make_views: Any, dtype: torch.dtype = torch.float32) -> tuple[list[Any], dict[str, Any]]:
    return make_views(6, 5, dtype=dtype), {"targets": torch.arange(6) % 3}


@pytest.mark.parametrize("loss", CONTRASTIVE)
def test_autocast_changes_nothing(make_views: Any, gradients: Any, loss: Any) -> None:
    views, targets = arguments(make_views)
    plain = loss(*views, **targets)
    expected = gradients(plain, views)
    with torch.autocast("cpu", torch.bfloat16):
        cast = loss(*views, **targets)
        got = gradients(cast, views)
    assert torch.equal(cast, plain)
    assert torch.equal(got, expected)


@pytest.mark.parametrize("loss", OTHERS)
def test_autocast_of_the_forward_pass_changes_nothing(make_views: Any, gradients: Any, loss: Any) -> None:
    views, targets = arguments(make_views)
    plain = loss(*views, **targets)
    with torch.autocast("cpu", torch.bfloat16):
        cast = loss(*views, **targets)
    assert torch.equal(cast, plain)
    assert torch.equal(gradients(cast, views), gradients(plain, views))


@pytest.mark.parametrize("loss", CONTRASTIVE)
def test_a_second_derivative_is_refused(make_views: Any, loss: Any) -> None:
    views, targets = arguments(make_views)
    with pytest.raises(sslreg.SslregError, match="no second derivative"):
        torch.autograd.grad(loss(*views, **targets), views, create_graph=True)


@pytest.mark.parametrize("loss", [*CONTRASTIVE, *OTHERS])
def test_copies_and_pickles_give_the_same_loss(make_views: Any, loss: Any) -> None:
    views, targets = arguments(make_views)
    expected = loss(*views, **targets)
    loss.commit()
    for other in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        assert torch.equal(other(*views, **targets), loss(*views, **targets))
    assert expected.isfinite()


@pytest.mark.filterwarnings("ignore::Warning")
@pytest.mark.parametrize("threads", [1, 2])
def test_a_compiled_step_gives_the_same_loss_and_gradient(make_views: Any, gradients: Any, threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    views, loss = make_views(300, 5), NTXentLoss()

    def step(*views: Any) -> Any:
        return loss(*(view * 2 for view in views)) + 1

    value, expected = torch.compile(step, backend="aot_eager")(*views), step(*views)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradients(value, views), gradients(expected, views))
    torch.set_num_threads(before)
