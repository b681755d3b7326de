"""Mixed precision in float16: steps that the gradient scaler leaves out because gradients overflow.

Lightning wants a GPU for it. torch's scaler also works on a CPU, and takes the place of the trainer's precision here.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning.pytorch.plugins import MixedPrecision

import sslreg
from sslreg import Run, SslregError
from sslreg.runs.folder import RunFolder
from sslreg.spec import Spec, parse_spec
from sslreg.training import training_setup
from sslreg.training.lightning_module import TrainingModule

#: So large that the gradients of early steps overflow; it grows after three that do not, so later ones do as well.
SCALE = 2.0**26


@pytest.fixture
def train(tiny_spec: str, tmp_path: Path, moco, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    build = training_setup.build_trainer

    def with_scaler(spec: Spec, folder: RunFolder):
        trainer = build(spec, folder)
        scaler = torch.amp.GradScaler("cpu", init_scale=SCALE, growth_interval=3)
        trainer.strategy.precision_plugin = MixedPrecision("16-mixed", "cpu", scaler)
        return trainer

    monkeypatch.setattr(training_setup, "build_trainer", with_scaler)

    def run(*overrides: str, name: str = "run") -> Run:
        options = [*moco, "evaluate=[]", "trainer.max_epochs=1", "engine.ema=0.9", *overrides]
        return sslreg.train(parse_spec(tiny_spec, "tiny.yaml", options), tmp_path / name)

    return run


@pytest.fixture
def changed(monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """The weights, averages, momentum and banks that each step has changed; running statistics change earlier."""
    steps: list[set[str]] = []
    original = TrainingModule.optimizer_step

    def state(module: TrainingModule) -> dict[str, torch.Tensor]:
        momentum = module.trainer.optimizers[0].state_dict()["state"]
        named = {f"momentum.{number}": slot["momentum_buffer"].clone() for number, slot in momentum.items()}
        kept = {name: torch.as_tensor(value).clone() for name, value in module.state_dict().items()}
        return named | {
            name: value
            for name, value in kept.items()
            if name.startswith("average.") or not name.endswith(("running_mean", "running_var", "batches_tracked"))
        }

    def optimizer_step(self: TrainingModule, *arguments) -> None:
        before = state(self)
        original(self, *arguments)
        after = state(self)
        steps.append({name for name in after if name not in before or not torch.equal(before[name], after[name])})

    monkeypatch.setattr(TrainingModule, "optimizer_step", optimizer_step)
    return steps


def rows(run: Run) -> list[dict[str, str]]:
    with run.folder.metrics.open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["lr"]]


@pytest.mark.parametrize("on_nan", ["stop", "skip", "rewind"])
def test_a_step_that_overflows_changes_nothing_and_is_no_fault(train, changed: list[set[str]], on_nan: str) -> None:
    run = train(f"engine.on_nan={on_nan}")
    left_out = [number for number, names in enumerate(changed) if not names]
    assert left_out[0] == 1  # the first one has no negatives yet, and so no gradient
    assert 2 <= len(left_out) <= 15
    for names in filter(None, changed[1:]):
        assert {"loss.memory_bank.rows", "model.key_projection.0.weight", "average.model.projection.0.weight"} <= names
        assert any(name.startswith("momentum.") for name in names)
    # Each batch that counts has 64 keys; those of the others are not in the bank, and not committed later either.
    state = run.checkpoint()["state_dict"]
    assert state["loss.memory_bank._extra_state"][0] == 64 * (21 - len(left_out)) % 200
    assert all(torch.as_tensor(value).isfinite().all() for value in state.values())
    summary = run.summary
    assert (summary["status"], summary["steps"], summary["skipped_steps"]) == ("finished", 21, 0)
    assert "rewound_at" not in summary
    # The schedule and the steps advance, and every batch has its loss.
    assert [int(row["step"]) for row in rows(run)] == list(range(1, 22))
    assert all(math.isfinite(float(row["loss"])) for row in rows(run))
    rates = [float(row["lr"]) for row in rows(run)]
    assert rates == sorted(rates, reverse=True)
    assert len(set(rates)) >= 20


def test_a_loss_that_is_no_number_is_a_fault_beside_a_scaler_too(train, monkeypatch: pytest.MonkeyPatch) -> None:
    original = TrainingModule.training_step

    def training_step(self: TrainingModule, batch, batch_idx):
        output = original(self, batch, batch_idx)
        return output | {"loss": output["loss"] * float("nan")} if batch_idx in (0, 15) else output

    monkeypatch.setattr(TrainingModule, "training_step", training_step)
    run = train("engine.on_nan=skip")
    assert run.summary["skipped_steps"] == 2
    assert [row["step"] for row in rows(run) if not row["loss"]] == ["1", "16"]


def test_the_scale_is_resumed_bit_for_bit(train, assert_same, at_step, tmp_path: Path) -> None:
    whole = train(name="whole")

    def fail() -> None:
        raise SslregError("cut")

    at_step(7, fail)
    with pytest.raises(SslregError, match="cut"):
        train("checkpoint.every_steps=1")
    run = sslreg.resume(tmp_path / "run")
    assert run.summary["resumed_at"] == [7]
    assert_same(whole.path, run.path)
    scales = [each.checkpoint()["MixedPrecision"]["scale"] for each in (whole, run)]
    assert scales[0] == scales[1] != SCALE
