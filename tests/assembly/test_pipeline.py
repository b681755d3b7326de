"""Assembling the objects of a run, and specs that do not fit their data."""

from __future__ import annotations

import pytest
import torch

from sslreg import UserError
from sslreg.assembly import assemble


def test_weights_depend_on_the_seed_alone(spec) -> None:
    torch.manual_seed(1)
    first = next(assemble(spec()).model.parameters())
    torch.manual_seed(2)
    assert torch.equal(first, next(assemble(spec()).model.parameters()))
    assert not torch.equal(first, next(assemble(spec("seed=1")).model.parameters()))


def test_assembling_restores_torchs_generator(spec) -> None:
    before = torch.get_rng_state()
    assemble(spec())
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("overrides", "world_size", "message"),
    [
        (["data.batch_size=1349"], 1, "a batch of 1349 is larger than the training set, which has 1348 samples"),
        (["data.batch_size=65"], 2, "cannot be divided evenly among 2 processes"),
        (["trainer={}"], 1, "does not say how long to train"),
        (["data.test=null"], 1, "there is no data set to evaluate on"),
        (["views.0.augment=[]", "data.train.split=all"], 1, None),
    ],
)
def test_a_spec_that_does_not_fit_its_data_is_refused(
    spec, overrides: list[str], world_size: int, message: str | None
) -> None:
    if message is None:
        assert assemble(spec(*overrides), world_size=world_size)
        return
    with pytest.raises(UserError, match=message) as caught:
        assemble(spec(*overrides), world_size=world_size)
    assert caught.value.diagnostics[0].line is not None


@pytest.mark.parametrize(
    ("overrides", "rate"),
    [
        ((), 0.1),
        (("optimizer.base_batch_size=64",), 0.1),
        (("optimizer.base_batch_size=256",), 0.1 * 64 / 256),
        (("optimizer.base_batch_size=256", "trainer.accumulate_grad_batches=8"), 0.1 * 512 / 256),
        (("optimizer={use: adamw, base_batch_size: 16}",), 1e-3 * 4),
    ],
)
def test_the_learning_rate_is_scaled_by_the_samples_per_step(spec, overrides: tuple[str, ...], rate: float) -> None:
    pipeline = assemble(spec(*overrides))
    assert pipeline.learning_rate == pytest.approx(rate)
    assert pipeline.build_optimizer().param_groups[0]["lr"] == pytest.approx(rate)


def test_the_learning_rates_of_all_groups_are_scaled(spec, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = assemble(spec("optimizer.base_batch_size=32"))
    backbone, head = list(pipeline.model.backbone.parameters()), list(pipeline.model.projection.parameters())
    groups = [{"params": backbone[:1], "lr": 0.5}, {"params": backbone[1:], "lr": 0.5, "lr_scale": 0.1}]
    groups += [{"params": head[:1]}, {"params": head[1:], "lr_scale": 0.1}]
    monkeypatch.setattr(pipeline.model, "parameter_groups", lambda: groups)
    rates = [group["lr"] for group in pipeline.build_optimizer().param_groups]
    assert rates == pytest.approx([1.0, 0.1, 0.2, 0.02])
