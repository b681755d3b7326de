"""Losses, gradients and weights that are not finite."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from rich.console import Console

import sslreg
from sslreg import Run, SslregError
from sslreg.runs.folder import RunFolder
from sslreg.spec import parse_spec
from sslreg.training import loop
from sslreg.training.callbacks import non_finite_guard
from sslreg.training.lightning_module import TrainingModule
from sslreg.training.rewind_to_checkpoint import RewindRun
from sslreg.training.training_setup import TrainingSetup


def poison_loss(module: TrainingModule, output: dict) -> None:
    output["loss"] = output["loss"] * float("nan")
    output["figures"]["loss"] = output["loss"].detach()


def poison_gradient(module: TrainingModule, output: dict) -> None:
    """The loss keeps its value; the derivative of the root at 0 is infinite, times 0."""
    weights = next(module.parameters())
    output["loss"] = output["loss"] + (weights - weights.detach()).abs().sum().sqrt()


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch):
    """Spoils some batches of the first epoch, whenever they are trained on."""

    def plan(how: Callable | None, *batches: int) -> None:
        original = TrainingModule.training_step

        def training_step(self, batch, batch_idx):
            is_spoilt = self.current_epoch == 0 and batch_idx in batches
            if is_spoilt and how is None:
                batch.views[0].fill_(float("nan"))
            output = original(self, batch, batch_idx)
            if is_spoilt and how is not None:
                how(self, output)
            return output

        monkeypatch.setattr(TrainingModule, "training_step", training_step)

    return plan


@pytest.fixture
def train(tiny_spec: str, tmp_path: Path, moco):
    def run(on_nan: str, *overrides: str) -> Run:
        options = [*moco, "evaluate=[]", "trainer.max_epochs=1", f"engine.on_nan={on_nan}", *overrides]
        return sslreg.train(parse_spec(tiny_spec, "tiny.yaml", options), tmp_path / on_nan)

    return run


def losses(run: Run) -> dict[int, str]:
    with run.folder.metrics.open(newline="") as file:
        return {int(row["step"]): row["loss"] for row in csv.DictReader(file) if row["lr"]}


@pytest.mark.parametrize("how", [poison_loss, poison_gradient, None], ids=["loss", "gradient", "images"])
def test_a_step_that_is_left_out_leaves_everything_as_it_was(
    train, poison, how: Callable | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(how, 5)
    states: list[dict[str, torch.Tensor]] = []
    original = TrainingModule.optimizer_step

    def optimizer_step(self, *arguments):
        for act in (lambda: None, lambda: original(self, *arguments)):
            act()
            if self.trainer.fit_loop.batch_idx == 5 or len(states) == 1:
                momentum = [state["momentum_buffer"] for state in self.trainer.optimizers[0].state.values()]
                named = self.state_dict() | {f"momentum {number}": value for number, value in enumerate(momentum)}
                states.append({name: torch.as_tensor(value).clone() for name, value in named.items()})

    monkeypatch.setattr(TrainingModule, "optimizer_step", optimizer_step)
    run = train("skip", "trainer.log_every_n_steps=1")
    before, after = states[:2]
    assert before.keys() == after.keys()
    assert [name for name, value in before.items() if not torch.equal(value, after[name])] == []
    assert run.summary["skipped_steps"] == 1
    assert [step for step, loss in losses(run).items() if not loss] == [6]
    assert run.summary["steps"] == 21
    assert all(value.isfinite().all() for value in run.model().state_dict().values())


def test_too_many_in_a_row_are_no_accident(train, poison, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(non_finite_guard, "MAX_SKIPS_IN_A_ROW", 4)
    poison(poison_loss, *range(3, 20))
    with pytest.raises(SslregError, match=r"not finite in 4 steps in a row, up to step 8 \(loss 'nt_xent'"):
        train("skip")


@pytest.mark.parametrize("how", [poison_loss, poison_gradient, None], ids=["loss", "gradient", "images"])
def test_rewinding_ends_where_skipping_would_have(
    train, poison, how: Callable | None, assert_same, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whichever step was at fault: a gradient spoils the weights, and only the next loss shows it."""
    poison(how, 10)
    skipped = train("skip", "checkpoint.every_steps=4")
    rewound = train("rewind", "checkpoint.every_steps=4", "trainer.log_every_n_steps=3")
    assert_same(skipped.path, rewound.path)
    assert rewound.summary["rewound_at"] == [8]
    assert rewound.summary["resumed_at"] == []
    assert (rewound.summary["status"], rewound.summary["skipped_steps"]) == ("finished", 1)
    assert "going back to step 8" in capsys.readouterr().err


def test_a_run_goes_back_to_a_checkpoint_three_times_at_most(
    tiny_spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed, guarded = [], []

    def resume(setup: TrainingSetup) -> Run:
        allowed.append(setup.rewinds.is_allowed)
        guarded.append(setup.rewinds.guard_until)
        if not setup.rewinds.is_allowed:
            raise SslregError("no more")
        raise RewindRun("spoilt", setup.folder, 8, setup.rewinds.guard_until + 1)

    def start(setup: TrainingSetup) -> Run:
        assert setup.rewinds.is_allowed
        raise RewindRun("spoilt", setup.folder, 8, 10)

    monkeypatch.setattr(loop, "start_run", start)
    monkeypatch.setattr(loop, "resume_run", resume)
    spec = parse_spec(tiny_spec, "tiny.yaml", ["evaluate=[]", "engine.on_nan=rewind"])
    with pytest.raises(SslregError, match="no more"):
        loop.train_to_end(spec, RunFolder(tmp_path / "run"), Console(quiet=True), resume=False)
    assert allowed == [True, True, False]
    assert guarded == [10, 11, 12]


def test_weights_that_are_not_finite_are_not_saved(train, poison, tmp_path: Path) -> None:
    """The loss was good, and a checkpoint due, right after the step that spoilt the weights."""
    poison(poison_gradient, 10)
    with pytest.raises(SslregError, match="is not finite after step 11") as caught:
        train("stop", "checkpoint.every_steps=1")
    assert "sslreg train --resume" in str(caught.value)
    run = Run(tmp_path / "stop")
    assert run.summary["status"] == "failed"
    assert run.checkpoint()["global_step"] == 10
    assert all(value.isfinite().all() for value in run.model().state_dict().values())
