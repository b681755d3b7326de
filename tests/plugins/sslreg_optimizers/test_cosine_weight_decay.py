import numpy as np
import pytest
import torch
from torch import nn

from sslreg_optimizers.cosine_weight_decay import CosineWeightDecay


def optimizer(weight_decay: float = 0.04) -> torch.optim.AdamW:
    groups = [
        {"params": [nn.Parameter(torch.zeros(1))], "weight_decay": 0},
        {"params": [nn.Parameter(torch.zeros(1, 1))]},
    ]
    return torch.optim.AdamW(groups, lr=0.5, weight_decay=weight_decay)


def run(schedule: CosineWeightDecay, steps: int) -> list[list[float]]:
    """The weight decay of both groups at each of the next steps."""
    seen = []
    for _ in range(steps):
        seen.append([group["weight_decay"] for group in schedule.optimizer.param_groups])
        schedule.optimizer.step()
        schedule.step()
    return seen


@pytest.mark.parametrize(("start", "end"), [(0.04, 0.4), (0.5, 0.0)])
def test_the_weight_decay_follows_half_a_cosine_and_that_of_biases_stays_zero(start: float, end: float) -> None:
    biases, weights = np.transpose(run(CosineWeightDecay(optimizer(start), 9, end), 11))
    assert biases.tolist() == [0.0] * 11
    steps = np.minimum(np.arange(11, dtype=np.float64) / 8, 1)
    np.testing.assert_allclose(weights, start + (end - start) * np.sin(np.pi * steps / 2) ** 2, rtol=1e-13, atol=1e-16)
    assert weights[8] == end


def test_a_run_of_one_step_is_possible() -> None:
    assert run(CosineWeightDecay(optimizer(), 1, 0.4), 1) == [[0.0, 0.4]]


def test_a_resumed_schedule_may_be_longer_than_the_one_that_was_saved() -> None:
    short = CosineWeightDecay(optimizer(), 4, 0.4)
    run(short, 3)
    longer = CosineWeightDecay(optimizer(), 8, 0.4)
    longer.load_state_dict(short.state_dict())
    assert run(longer, 5) == run(CosineWeightDecay(optimizer(), 8, 0.4), 8)[3:]


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Rprop])
def test_an_optimizer_without_weight_decay_is_refused(optimizer: type[torch.optim.Optimizer]) -> None:
    with pytest.raises(ValueError, match="the optimizer has no weight decay; set its weight_decay"):
        CosineWeightDecay(optimizer([nn.Parameter(torch.zeros(1))], lr=0.1), 9, 0.4)
