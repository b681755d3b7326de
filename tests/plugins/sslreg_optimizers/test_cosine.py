import copy
import math
import warnings

import pytest
import torch
from lightly.utils.scheduler import CosineWarmupScheduler
from timm.scheduler import CosineLRScheduler

from sslreg_optimizers.cosine import CosineWithWarmup


def optimizer(lr: float = 0.5) -> torch.optim.SGD:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)


def rates(schedule: torch.optim.lr_scheduler.LRScheduler, steps: int) -> list[float]:
    """The learning rate of each of the next steps."""
    seen = []
    for _ in range(steps):
        seen.append(schedule.optimizer.param_groups[0]["lr"])
        schedule.optimizer.step()
        schedule.step()
    return seen


@pytest.mark.parametrize(("warmup", "start", "end"), [(0, 0.0, 0.0), (6, 0.0, 0.001), (9, 0.25, 0.1), (30, 0.0, 0.0)])
def test_rates_are_those_of_lightly(warmup: int, start: float, end: float) -> None:
    ours = CosineWithWarmup(optimizer(), 30, 3, warmup_epochs=warmup / 3, warmup_start_factor=start, eta_min=end * 0.5)
    theirs = CosineWarmupScheduler(
        optimizer(), warmup_epochs=warmup, max_epochs=30, end_value=end, warmup_start_value=start
    )
    assert rates(ours, 30) == pytest.approx(rates(theirs, 30), rel=1e-12)


def test_the_last_step_has_the_least_rate_and_more_steps_keep_it() -> None:
    seen = rates(CosineWithWarmup(optimizer(), 10, 5, eta_min=0.01), 13)
    assert seen[0] == 0.5
    assert seen[9:] == pytest.approx([0.01] * 4)


def test_warmup_may_end_within_an_epoch() -> None:
    seen = rates(CosineWithWarmup(optimizer(), 20, 4, warmup_epochs=0.5), 3)
    assert seen == pytest.approx([0.25, 0.5, 0.5])


def test_a_run_of_one_step_is_possible() -> None:
    assert rates(CosineWithWarmup(optimizer(), 1, 1), 1) == [0.0]


def test_every_group_is_scaled_from_its_own_rate() -> None:
    weights = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    groups = torch.optim.SGD([{"params": weights[:1]}, {"params": weights[1:], "lr": 0.1}], lr=1.0)
    schedule = CosineWithWarmup(groups, 5, 5)
    for _ in range(2):
        groups.step()
        schedule.step()
    assert [group["lr"] for group in groups.param_groups] == pytest.approx([0.5, 0.05])


def test_the_rate_at_the_end_has_the_scale_of_its_group_as_in_timm() -> None:
    weights = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    groups = [{"params": weights[:1]}, {"params": weights[1:], "lr_scale": 0.25}]
    ours, theirs = torch.optim.SGD(copy.deepcopy(groups), lr=1.0), torch.optim.SGD(groups, lr=1.0)
    ours.param_groups[1]["lr"] *= 0.25  # as the assembly of a run does
    schedule, timms = CosineWithWarmup(ours, 11, 11, eta_min=0.1), CosineLRScheduler(theirs, t_initial=10, lr_min=0.1)
    for step in range(11):
        timms.step(step)
        expected = [group["lr"] for group in theirs.param_groups]
        assert [group["lr"] for group in ours.param_groups] == pytest.approx(expected, rel=1e-12)
        ours.step()
        schedule.step()
    assert [group["lr"] for group in ours.param_groups] == pytest.approx([0.1, 0.025])


def test_a_resumed_schedule_goes_on_as_if_it_had_not_stopped() -> None:
    whole = rates(CosineWithWarmup(optimizer(), 12, 3, warmup_epochs=1), 12)
    first = CosineWithWarmup(optimizer(), 12, 3, warmup_epochs=1)
    rates(first, 5)
    state, groups = copy.deepcopy(first.state_dict()), copy.deepcopy(first.optimizer.state_dict())
    second = CosineWithWarmup(optimizer(), 12, 3, warmup_epochs=1)
    second.optimizer.load_state_dict(groups)
    second.load_state_dict(state)
    assert rates(second, 7) == whole[5:]


def test_a_resumed_schedule_may_be_longer_than_the_one_that_was_saved() -> None:
    short = CosineWithWarmup(optimizer(), 4, 2)
    rates(short, 4)
    longer = CosineWithWarmup(optimizer(), 8, 2)
    longer.load_state_dict(short.state_dict())
    assert rates(longer, 4)[1:] == pytest.approx([0.25 * (1 + math.cos(math.pi * step / 7)) for step in (5, 6, 7)])


def test_a_warmup_longer_than_the_run_is_refused() -> None:
    with pytest.raises(ValueError, match="warmup_epochs: 5 is 10 steps, but the whole run has 8"):
        CosineWithWarmup(optimizer(), 8, 2, warmup_epochs=5)


def test_stepping_in_torchs_order_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rates(CosineWithWarmup(optimizer(), 3, 3), 3)
