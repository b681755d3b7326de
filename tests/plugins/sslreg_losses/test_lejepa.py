"""LeJEPA's loss against lightly's and the statistic of Epps and Pulley, computed by numerical integration."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from lightly.loss.lejepa_loss import LeJEPALoss as LightlyLoss
from scipy.integrate import quad
from torch import Tensor

import sslreg
from sslreg_losses import LeJEPALoss


def directions_of(loss: LeJEPALoss, width: int) -> Tensor:
    noise = sslreg.noise_like(loss.step, (width, loss.directions), kind="normal")[0].double()
    return noise / noise.norm(dim=0)


@pytest.mark.parametrize("local_views", [1, 3])
def test_equals_lightly(
    make_views: Any,
    gradients: Any,
    monkeypatch: pytest.MonkeyPatch,
    local_views: int,
    record_difference: Any,
) -> None:
    views = make_views(40, 16, 2 + local_views)
    loss, theirs = LeJEPALoss(0.1, directions=64), LightlyLoss(0.1, sigreg_num_vectors=64).double()
    monkeypatch.setattr(theirs.sigreg, "_generate_unit_vectors", lambda *_: directions_of(loss, 16))
    expected = theirs(global_proj=torch.stack(views[:2]), local_proj=torch.stack(views[2:]))
    value = loss(views[:2], views[2:])
    record_difference("lejepa", "lightly's loss", (value - expected).abs().item())
    # Lightly rounds the frequencies and weights to float32.
    torch.testing.assert_close(value, expected, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(gradients(value, views), gradients(expected, views), rtol=1e-5, atol=1e-7)


def test_sigreg_is_the_statistic_of_epps_and_pulley(make_views: Any) -> None:
    (view,) = make_views(6, 3, 1)
    loss = LeJEPALoss(1.0, directions=2, knots=2001)
    statistics = []
    for direction in directions_of(loss, 3).T:
        x = (view.detach() @ direction).tolist()

        def integrand(t: float, x: list[float] = x) -> float:
            real = sum(math.cos(t * value) for value in x) / len(x)
            imaginary = sum(math.sin(t * value) for value in x) / len(x)
            return ((real - math.exp(-(t**2) / 2)) ** 2 + imaginary**2) * math.exp(-(t**2) / 2)

        statistics.append(len(x) * quad(integrand, -3, 3)[0])
    assert loss([view]).item() == pytest.approx(sum(statistics) / 2, rel=1e-6)


def test_a_normal_distribution_has_a_smaller_statistic_than_others() -> None:
    normal = torch.randn(1, 2000, 4, generator=torch.Generator().manual_seed(0))
    loss = LeJEPALoss()
    values = [loss.compute_sigreg(z).item() for z in (normal, normal * 3, normal + 1, torch.zeros_like(normal))]
    assert values[0] < min(values[1:]) / 100


def test_directions_change_with_each_committed_step_and_survive_a_checkpoint(make_views: Any) -> None:
    views = make_views(8, 4)
    loss, restored = LeJEPALoss(directions=2), LeJEPALoss(directions=2)
    first = loss(views)
    assert torch.equal(loss(views), first)
    loss.discard()
    loss.commit()
    assert torch.equal(loss(views), first)
    loss.commit()
    second = loss(views)
    assert not torch.equal(second, first)
    restored.load_state_dict(loss.state_dict())
    assert torch.equal(restored(views), second)
