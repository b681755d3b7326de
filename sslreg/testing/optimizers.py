"""What optimizers and schedules promise: what torch's own do."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn

from sslreg.testing.case import Case
from sslreg.testing.checks import check


def problem() -> tuple[nn.Module, Tensor, Tensor]:
    """A linear layer, and what it should make of what."""
    torch.manual_seed(0)
    return nn.Linear(4, 2), torch.randn(16, 4), torch.randn(16, 2)


def optimizer_for(case: Case, module: nn.Module) -> Any:
    """Built as a run builds it: from parameter groups, with its own default rate where it has one."""
    if "lr" not in case.parameters and case.info.kind == "optimizer":
        case = Case(case.info, {"lr": 1e-3, **case.parameters}, case.largest, case.catalog)
    return case.build([{"params": list(module.parameters())}])


def steps(optimizer: Any, module: nn.Module, inputs: Tensor, wanted: Tensor, count: int) -> list[float]:
    """The losses of so many steps."""
    losses = []
    for _ in range(count):
        optimizer.zero_grad()
        loss = (module(inputs) - wanted).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@check("optimizer")
def lowers_a_loss(case: Case) -> None:
    module, inputs, wanted = problem()
    losses = steps(optimizer_for(case, module), module, inputs, wanted, 30)
    assert all(map(math.isfinite, losses))
    assert losses[-1] < losses[0]


@check("optimizer")
def survives_a_checkpoint(case: Case) -> None:
    module, inputs, wanted = problem()
    optimizer = optimizer_for(case, module)
    steps(optimizer, module, inputs, wanted, 3)
    again = copy.deepcopy(module)
    resumed = optimizer_for(case, again)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert steps(optimizer, module, inputs, wanted, 3) == steps(resumed, again, inputs, wanted, 3)


def schedule_for(case: Case) -> tuple[Any, torch.optim.Optimizer]:
    optimizer = torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=0.5)
    return case.build(optimizer, steps_per_epoch=4, total_steps=20), optimizer


def rates(schedule: Any, optimizer: torch.optim.Optimizer, count: int) -> list[float]:
    """The learning rates of so many steps."""
    found = []
    for _ in range(count):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


@check("schedule")
def gives_a_rate_for_every_step(case: Case) -> None:
    # One more than the run has: the training steps a schedule after its last step too.
    for rate in rates(*schedule_for(case), 21):
        assert math.isfinite(rate)
        assert rate >= 0


@check("schedule")
def resumes_where_it_was(case: Case) -> None:
    whole = rates(*schedule_for(case), 20)
    schedule, optimizer = schedule_for(case)
    rates(schedule, optimizer, 8)
    again, its_optimizer = schedule_for(case)
    again.load_state_dict(copy.deepcopy(schedule.state_dict()))
    its_optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert rates(again, its_optimizer, 12) == whole[8:]
