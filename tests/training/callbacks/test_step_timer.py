"""What a training measures of itself, and that measuring changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import Callback

import sslreg
from sslreg import Run
from sslreg.phase_clock import PhaseClock
from sslreg.runs.step_timing import STEP_PHASES, StepTiming
from sslreg.spec import parse_spec
from sslreg.testing.temporary_components import temporary_components
from sslreg.training import loop
from sslreg_losses import NTXentLoss

Trained = Callable[..., Run]

SHORT = ["evaluate=[]", "trainer.max_epochs=1", "trainer.limit_train_batches=6"]


@pytest.fixture
def trained(tiny_spec: str, tmp_path: Path) -> Trained:
    """Trains six batches of the tiny spec with overrides."""

    def train(*overrides: str, name: str = "run") -> Run:
        return sslreg.train(parse_spec(tiny_spec, "tiny.yaml", [*SHORT, *overrides]), tmp_path / name)

    return train


def timing(run: Run) -> StepTiming:
    assert run.timing is not None
    return StepTiming(**run.timing["measured"])


def test_every_phase_of_a_run_is_measured(tiny_run: Run) -> None:
    measured = timing(tiny_run)
    assert set(measured.seconds) == {*STEP_PHASES, "startup", "evaluation", "checkpoints"}
    assert sum(measured.shares.values()) == pytest.approx(1)
    assert (measured.batches, measured.loaded_batches) == (41, 41)
    assert (measured.evaluations, measured.checkpoints) == (2, 3)
    assert (measured.batch_size, measured.steps_per_epoch, measured.view_size) == (64, 21, 8)
    assert all(measured.loading_seconds[phase] > 0 for phase in ("reading", "decoding", "views"))


class SlowDigits(sslreg.Dataset):
    """Images that are slow to get."""

    def __len__(self) -> int:
        return 384

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        time.sleep(0.003)
        return torch.full((1, 8, 8), index % 256, dtype=torch.uint8), 0


@pytest.mark.parametrize("workers", [0, 2])
def test_a_slow_data_set_is_found(trained: Trained, workers: int) -> None:
    with temporary_components(dataset={"slow_digits": SlowDigits}):
        run = trained("data.train={use: slow_digits}", "data.test=null", f"data.workers={workers}")
    measured = timing(run)
    # On a busy machine, computing takes several times as long as usual, and sleeping does not.
    assert measured.step_share("waiting") > 0.2
    assert measured.loading_shares["reading"] > 0.4
    assert run.timing["summary"].startswith("training waits for data ")
    assert any("reading data.train (slow_digits) takes " in one["text"] for one in run.timing["advice"])
    assert run.summary["waiting_for_data"] == pytest.approx(measured.step_share("waiting"), abs=1e-3)


class SlowLoss(NTXentLoss):
    """A loss that takes long."""

    def forward(self, *views, targets=None):
        time.sleep(0.1)
        return super().forward(*views, targets=targets)


def test_a_slow_loss_is_found(trained: Trained) -> None:
    with temporary_components(loss={"slow": SlowLoss}):
        run = trained("loss={use: slow}")
    assert timing(run).step_share("loss") > 0.2
    assert run.timing["advice"][0]["key"] == "loss"
    assert run.timing["advice"][0]["text"].startswith("loss (slow) takes ")


def test_accumulated_batches_make_a_step(trained: Trained) -> None:
    measured = timing(trained("trainer.accumulate_grad_batches=3"))
    assert (measured.batches, measured.accumulated_batches) == (5, 3)
    assert measured.step_seconds == pytest.approx(3 * measured.batch_seconds())


class Cut(Callback):
    """Ends a run without a goodbye."""

    class Error(Exception):
        pass

    def on_before_optimizer_step(self, trainer, pl_module, optimizer) -> None:
        if trainer.global_step == 3:
            raise Cut.Error


def test_a_resumed_run_adds_its_times(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attach = loop.add_callbacks

    def with_cut(setup, *arguments):
        setup.trainer.callbacks.append(Cut())
        return attach(setup, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "add_callbacks", with_cut)
        with pytest.raises(Cut.Error):
            trained("checkpoint.every_steps=1")
    cut = timing(Run(tmp_path / "run"))
    resumed = sslreg.resume(tmp_path / "run")
    measured = timing(resumed)
    # The first batch of each part of the run is its startup.
    assert (cut.batches, measured.batches) == (2, 4)
    assert measured.seconds["forward"] > cut.seconds["forward"]
    assert measured.seconds["startup"] > cut.seconds["startup"]
    assert measured.checkpoints > cut.checkpoints
    assert sum(measured.shares.values()) == pytest.approx(1)


def test_measuring_changes_no_result(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    overrides = ("data.workers=2", "trainer.accumulate_grad_batches=2")
    measured = trained(*overrides, name="measured")
    with monkeypatch.context() as patch:
        patch.setattr(PhaseClock, "switch", lambda clock, phase: None)
        unmeasured = trained(*overrides, name="unmeasured")
    assert timing(unmeasured).seconds == {}
    assert timing(measured).batches == 5
    ours, theirs = (run.checkpoint()["state_dict"] for run in (measured, unmeasured))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert measured.folder.metrics.read_text() == unmeasured.folder.metrics.read_text()
