import pytest
import torch
from lightly.utils import lars as lightly_lars
from torch import Tensor, nn

from sslreg_optimizers.lars import LARS

SETTINGS = {"lr": 0.4, "momentum": 0.9, "weight_decay": 0.01}


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7), nn.BatchNorm1d(7), nn.ReLU(), nn.Linear(7, 3)).double()


def train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 6) -> None:
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        images = torch.randn(8, 5, generator=generator, dtype=torch.float64)
        optimizer.zero_grad()
        model(images).square().mean().backward()
        optimizer.step()


def test_weights_move_as_with_lightly_and_the_others_as_with_sgd() -> None:
    ours, theirs = network(), network()
    adapted = [weight for weight in theirs.parameters() if weight.ndim > 1]
    plain = [weight for weight in theirs.parameters() if weight.ndim <= 1]
    train(ours, LARS(ours.parameters(), **SETTINGS))
    train(theirs, lightly_lars.LARS([{"params": adapted}, {"params": plain, "weight_decay": 0.0}], **SETTINGS))
    for mine, expected in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, expected, rtol=1e-12, atol=1e-14)


def test_one_step_is_the_papers_equation() -> None:
    weight = nn.Parameter(torch.tensor([[3.0, 4.0]], dtype=torch.float64))
    weight.grad = torch.tensor([[0.0, 2.0]], dtype=torch.float64)
    LARS([weight], lr=0.5, momentum=0.0, weight_decay=0.1, trust_coefficient=0.02, eps=0.0).step()
    rate = 0.02 * 5 / (2 + 0.1 * 5)
    expected = torch.tensor([[3 - 0.5 * rate * 0.3, 4 - 0.5 * rate * 2.4]], dtype=torch.float64)
    torch.testing.assert_close(weight.detach(), expected)


def test_layers_are_adapted_without_weight_decay_too() -> None:
    weight = nn.Parameter(torch.full((2, 2), 2.0))
    weight.grad = torch.ones(2, 2)
    LARS([weight], lr=1.0, momentum=0.0).step()
    torch.testing.assert_close(weight.detach(), torch.full((2, 2), 2.0 - 0.001 * 2))


@pytest.mark.parametrize("gradient", [torch.zeros(2, 2), torch.ones(2, 2)])
def test_zero_weights_or_gradients_make_no_nan(gradient: Tensor) -> None:
    weight = nn.Parameter(torch.zeros(2, 2))
    weight.grad = gradient
    LARS([weight], lr=0.1, momentum=0.0, eps=0.0).step()
    torch.testing.assert_close(weight.detach(), -0.1 * gradient)


def test_its_state_resumes() -> None:
    model = network()
    before = LARS(model.parameters(), **SETTINGS)
    train(model, before, steps=2)
    after = LARS(model.parameters(), **SETTINGS)
    after.load_state_dict(before.state_dict())
    for weight in model.parameters():
        assert torch.equal(after.state[weight]["momentum_buffer"], before.state[weight]["momentum_buffer"])


def test_a_closure_gives_the_loss() -> None:
    weight = nn.Parameter(torch.ones(2, 2))

    def closure() -> float:
        loss = weight.square().sum()
        loss.backward()
        return loss.item()

    assert LARS([weight], lr=0.1).step(closure) == 4.0
