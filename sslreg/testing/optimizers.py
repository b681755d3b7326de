"""The checks of optimizers and schedules, whose contracts are torch's."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn

from sslreg.testing.case import Case
from sslreg.testing.checks import check


def make_problem() -> tuple[nn.Module, Tensor, Tensor]:
    """Return a linear layer, inputs and the outputs that it should learn."""
    torch.manual_seed(0)
    return nn.Linear(4, 2), torch.randn(16, 4), torch.randn(16, 2)


def build_optimizer(case: Case, module: nn.Module) -> Any:
    """Build the optimizer from parameter groups, as a run does, with a learning rate of 1e-3 if the case has none."""
    if "lr" not in case.parameters and case.info.kind == "optimizer":
        case = Case(case.info, {"lr": 1e-3, **case.parameters}, case.largest, case.catalog)
    return case.build([{"params": list(module.parameters())}])


def run_steps(optimizer: Any, module: nn.Module, inputs: Tensor, targets: Tensor, count: int) -> list[float]:
    """Run `count` steps and return their losses."""
    losses = []
    for _ in range(count):
        optimizer.zero_grad()
        loss = (module(inputs) - targets).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@check("optimizer")
def lowers_a_loss(case: Case) -> None:
    module, inputs, targets = make_problem()
    losses = run_steps(build_optimizer(case, module), module, inputs, targets, 30)
    assert all(map(math.isfinite, losses))
    assert losses[-1] < losses[0]


@check("optimizer")
def uses_the_learning_rate_of_each_group(case: Case) -> None:
    weights = [nn.Parameter(torch.ones(2, 2, dtype=torch.float64)) for _ in range(2)]
    for weight in weights:
        weight.grad = torch.ones_like(weight)
    case.build([{"params": weights[:1], "lr": 1e-2}, {"params": weights[1:], "lr": 1e-4, "fixed_lr": True}]).step()
    large, small = ((weight.detach() - 1).abs().max() for weight in weights)
    assert 0 < small < large


@check("optimizer")
def survives_a_checkpoint(case: Case) -> None:
    module, inputs, targets = make_problem()
    optimizer = build_optimizer(case, module)
    run_steps(optimizer, module, inputs, targets, 3)
    copied = copy.deepcopy(module)
    resumed = build_optimizer(case, copied)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert run_steps(optimizer, module, inputs, targets, 3) == run_steps(resumed, copied, inputs, targets, 3)


def build_schedule(case: Case) -> tuple[Any, torch.optim.Optimizer]:
    """Build the schedule of an optimizer."""
    optimizer = torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=0.5, momentum=0.9, weight_decay=0.1)
    return case.build(optimizer, steps_per_epoch=4, total_steps=20), optimizer


def run_schedule(schedule: Any, optimizer: torch.optim.Optimizer, count: int) -> list[dict[str, float]]:
    """Run `count` steps and return the options of the optimizer at each."""
    options = []
    for _ in range(count):
        options.append({name: float(optimizer.param_groups[0][name]) for name in ("lr", "momentum", "weight_decay")})
        optimizer.step()
        schedule.step()
    return options


@check("schedule")
def sets_a_value_for_every_step(case: Case) -> None:
    # One more than the run has: a training also steps the schedule after its last step.
    for options in run_schedule(*build_schedule(case), 21):
        for value in options.values():
            assert math.isfinite(value)
            assert value >= 0


@check("schedule")
def declares_what_it_changes(case: Case) -> None:
    schedule, optimizer = build_schedule(case)
    steps = run_schedule(schedule, optimizer, 20)
    for option in {"lr", "weight_decay"} - {getattr(schedule, "changes", "lr")}:
        assert len({options[option] for options in steps}) == 1, f"it changes {option}: set `changes` to that name"


@check("schedule")
def resumes_where_it_was(case: Case) -> None:
    whole = run_schedule(*build_schedule(case), 20)
    schedule, optimizer = build_schedule(case)
    run_schedule(schedule, optimizer, 8)
    restored, its_optimizer = build_schedule(case)
    restored.load_state_dict(copy.deepcopy(schedule.state_dict()))
    its_optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert run_schedule(restored, its_optimizer, 12) == whole[8:]
