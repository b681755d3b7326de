"""SwAV against the training loop of lightly, with its modules; frozen prototypes, queues and refused specs."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from lightly.loss import SwaVLoss as LightlyLoss
from lightly.models.modules.heads import SwaVProjectionHead, SwaVPrototypes
from torch import Tensor, nn
from torch.nn.functional import normalize

import sslreg
from sslreg.assembly import try_spec
from sslreg.spec import load_spec
from sslreg_backbones.convnet import ConvNet
from sslreg_losses import SwAVLoss
from sslreg_memory_banks import FIFOMemoryBank
from sslreg_models.swav import SwAV


def swav(**parameters: object) -> SwAV:
    torch.manual_seed(0)
    given = {"projection": [12, 6], "prototypes": 7, "steps_per_epoch": 1, **parameters}
    return SwAV(ConvNet(in_channels=1, width=4), **given).double()  # type: ignore[arg-type]


def queues() -> list[FIFOMemoryBank]:
    return [FIFOMemoryBank(8, dtype="float64") for _ in range(2)]


def batch(seed: int) -> sslreg.Batch:
    generator = torch.Generator().manual_seed(seed)
    views = [torch.rand(5, 1, size, size, generator=generator, dtype=torch.float64) for size in (16, 8, 16, 8)]
    return sslreg.Batch(views, None, torch.arange(5), roles=("global", "local", "global", "local"))


def test_three_steps_are_those_of_lightlys_modules(record_difference: Any) -> None:
    model, loss = swav(queues=queues(), queue_start_epoch=1), SwAVLoss()
    backbone = copy.deepcopy(model.backbone)
    projection = SwaVProjectionHead(backbone.num_features, 12, 6).double()
    projection.load_state_dict({f"layers.{name}": value for name, value in model.projection.state_dict().items()})
    prototypes = SwaVPrototypes(6, 7, n_steps_frozen_prototypes=1).double()
    prototypes.load_state_dict({"heads.0.weight": model.prototypes.weight, "heads.0.bias": torch.zeros(7)})
    prototypes.heads[0].bias = None  # lightly's differ from the paper's by a bias
    optimizer = torch.optim.SGD(model.parameter_groups(), lr=0.5)
    other = torch.optim.SGD(nn.ModuleList([backbone, projection, prototypes]).parameters(), lr=0.5)
    past: list[Tensor] = [torch.zeros(0, 6, dtype=torch.float64)] * 2
    for step in range(3):
        value = model.training_step(batch(step), loss).loss
        prototypes.normalize()
        first, second, third, fourth = batch(step).views
        features = torch.cat([backbone(torch.cat([first, third])), backbone(torch.cat([second, fourth]))])
        z = normalize(projection(features), dim=1)
        scores = prototypes(z, step).chunk(4)
        queued = [prototypes(queue, step) for queue in past] if step else None
        expected = LightlyLoss()(list(scores[:2]), list(scores[2:]), queued)[0]
        record_difference("swav", "lightly's modules, three steps", (value - expected).abs().item())
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)
        for one, own in ((value, optimizer), (expected, other)):
            own.zero_grad()
            one.backward()
            model.before_step()
            own.step()
        model.after_step()
        for bank in model.queues:
            bank.commit()
        past = [torch.cat([queue, own])[-8:] for queue, own in zip(past, z.detach().chunk(4), strict=False)]
    pairs = zip(model.backbone.parameters(), backbone.parameters(), strict=True)
    for weight, expected_weight in [*pairs, (model.prototypes.weight, prototypes.heads[0].weight)]:
        torch.testing.assert_close(weight, expected_weight, rtol=1e-12, atol=1e-12)


def test_prototypes_are_frozen_for_the_first_epoch_also_after_a_checkpoint() -> None:
    model, restored = swav(steps_per_epoch=2), swav(steps_per_epoch=2)
    model.after_step()
    restored.load_state_dict(model.state_dict())
    has_gradient = []
    for step in range(2):
        restored.training_step(batch(step), SwAVLoss()).loss.backward()
        restored.before_step()
        has_gradient.append(restored.prototypes.weight.grad is not None)
        restored.after_step()
    assert has_gradient == [False, True]


def test_queues_take_part_from_their_epoch_on() -> None:
    with_queues, without = swav(queues=queues(), queue_start_epoch=2), swav()
    values = []
    for step in range(3):
        values.append([model.training_step(batch(step), SwAVLoss()).loss.item() for model in (with_queues, without)])
        with_queues.after_step()
        for bank in with_queues.queues:
            bank.commit()
    assert [one == other for one, other in values] == [True, True, False]


def test_each_global_view_needs_a_queue() -> None:
    with pytest.raises(ValueError, match="there are 1 queues for 2 global views; give one for each, or none"):
        swav(queues=queues()[:1]).training_step(batch(0), SwAVLoss())


@pytest.mark.parametrize(
    ("override", "code", "message"),
    [
        ("views.0.repeat=1", "view-count", "takes at least 2 global views of an image, but the spec makes 1"),
        ("model.queues=[{use: fifo, size: 256}]", "bad-value", "give one for each, or none"),
    ],
)
def test_check_refuses_specs_that_do_not_fit_the_paper(override: str, code: str, message: str) -> None:
    with pytest.raises(sslreg.UserError) as refused:
        try_spec(load_spec("digits-swav", [override]))
    (diagnostic,) = refused.value.diagnostics
    assert diagnostic.code == code
    assert message in diagnostic.message


def test_check_accepts_queues_without_a_warning() -> None:
    queues = "model.queues=[{use: fifo, size: 256}, {use: fifo, size: 256}]"
    assert try_spec(load_spec("digits-swav", [queues])) == ()
