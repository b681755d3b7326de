"""The average of the weights: how it follows them, and that it is what is evaluated, used and resumed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import Callback
from timm.utils import ModelEmaV2
from torch import nn

import sslreg
from sslreg import Run
from sslreg.runs.run_evaluation import evaluate_run
from sslreg.spec import parse_spec
from sslreg.training import loop
from sslreg.training.weight_average import WeightAverage
from sslreg_memory_banks import FIFOMemoryBank


class Small(sslreg.Model):
    """A convolution, batch normalization, and a bank of the model's own."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3))  # type: ignore[assignment]
        self.memory_bank = FIFOMemoryBank(4, 3)


def moved(model: nn.Module, seed: int) -> None:
    """Change the weights and the running statistics, as a step would."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += torch.randn(parameter.shape, generator=generator)
    model.train()
    model.backbone(torch.randn(5, 2, 6, 6, generator=generator))


@pytest.mark.parametrize("decay", [0.3, 0.99])
def test_weights_and_running_statistics_are_averaged_as_timm_does_it(decay: float) -> None:
    torch.manual_seed(0)
    model = Small()
    ours, theirs = WeightAverage(model, decay), ModelEmaV2(model.backbone)
    for step in range(12):
        moved(model, step)
        ours.update(model, step)
        theirs.decay = min(decay, (1 + step) / (10 + step))
        theirs.update(model.backbone)
    expected = theirs.module.state_dict()
    for name, value in ours.model.backbone.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value, expected[name])
        else:
            assert value == 12  # batches that were tracked


def test_a_memory_bank_is_the_models_own() -> None:
    model = Small()
    average = WeightAverage(model, 0.9)
    assert average.model.memory_bank is model.memory_bank
    model.memory_bank.enqueue(torch.ones(2, 3))
    model.memory_bank.commit()
    before = model.memory_bank.negatives().clone()
    average.update(model, 0)
    assert torch.equal(model.memory_bank.negatives(), before)


def test_nothing_of_the_average_is_trained() -> None:
    assert not any(parameter.requires_grad for parameter in WeightAverage(Small(), 0.9).parameters())


class WeightsOfEachStep(Callback):
    def __init__(self) -> None:
        self.seen: list[dict[str, torch.Tensor]] = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        self.seen.append({name: value.clone() for name, value in pl_module.model.state_dict().items()})


def with_callback(monkeypatch: pytest.MonkeyPatch, callback: Callback) -> None:
    attach = loop.add_callbacks

    def attached(setup, *arguments):
        made = attach(setup, *arguments)
        setup.trainer.callbacks.insert(0, callback)
        return made

    monkeypatch.setattr(loop, "add_callbacks", attached)


def test_a_run_is_evaluated_and_used_by_its_average(tiny_spec: str, tmp_path: Path, monkeypatch) -> None:
    spec = parse_spec(tiny_spec, "tiny.yaml", ["engine.ema=0.9", "evaluate=[{use: knn}]", "trainer.max_epochs=1"])
    watching = WeightsOfEachStep()
    with_callback(monkeypatch, watching)
    run = sslreg.train(spec, tmp_path / "run")

    name = "backbone.body.0.weight"
    name = name if name in watching.seen[0] else next(iter(watching.seen[0]))
    average = run.untrained_model().state_dict()[name].double()
    for step, weights in enumerate(watching.seen):
        decay = min(0.9, (1 + step) / (10 + step))
        average = decay * average + (1 - decay) * weights[name].double()
    used = run.model().state_dict()[name]
    torch.testing.assert_close(used.double(), average, rtol=1e-5, atol=1e-7)
    assert not torch.equal(used, watching.seen[-1][name])

    figures = evaluate_run(run).by_subject["trained"]
    assert figures["knn_top1"] == pytest.approx(run.summary["final"]["knn_top1"])


def test_the_weights_that_train_are_the_same_with_an_average(tiny_spec: str, tmp_path: Path) -> None:
    states = []
    for name, override in {"with": "engine.ema=0.99", "without": "engine.compile=false"}.items():
        spec = parse_spec(tiny_spec, "tiny.yaml", [override, "evaluate=[]", "trainer.max_steps=4"])
        states.append(sslreg.train(spec, tmp_path / name).checkpoint()["state_dict"])
    averaged, plain = states
    assert all(torch.equal(averaged[name], value) for name, value in plain.items())
    assert {name for name in averaged if not name.startswith("average.")} == set(plain)


def test_an_average_resumes_bit_for_bit(tiny_spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    overrides = [
        "model={use: moco, backbone: {use: convnet, width: 4, depth: 3}, projection: [16], momentum: 0.9}",
        "loss.memory_bank={use: fifo, size: 200}",
        "engine.ema=0.95",
        "evaluate=[]",
        "trainer.max_epochs=1",
        "checkpoint.every_minutes=1.0e-9",
    ]

    class CutError(Exception):
        pass

    class Cut(Callback):
        def on_before_optimizer_step(self, trainer, pl_module, optimizer) -> None:
            if trainer.global_step == 7:
                raise CutError

    whole = sslreg.train(parse_spec(tiny_spec, "tiny.yaml", overrides), tmp_path / "whole")
    with monkeypatch.context() as patch:
        with_callback(patch, Cut())
        with pytest.raises(CutError):
            sslreg.train(parse_spec(tiny_spec, "tiny.yaml", overrides), tmp_path / "cut")
    resumed = sslreg.resume(tmp_path / "cut")
    assert resumed.summary["resumed_at"] == [7]
    one, two = (run.checkpoint()["state_dict"] for run in (whole, resumed))
    assert any(name.startswith("average.model.key_backbone.") for name in one)
    assert all(torch.equal(value, two[name]) for name, value in one.items())


def test_a_run_without_an_average_has_none(tiny_run: Run) -> None:
    assert not any(name.startswith("average.") for name in tiny_run.checkpoint()["state_dict"])
