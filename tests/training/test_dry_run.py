"""A dry run does everything once, and nothing is left of it."""

from __future__ import annotations

import multiprocessing.util
import tempfile
from pathlib import Path

import pytest
import torch
from lightning.pytorch.loggers import Logger

import sslreg
from sslreg import UserError
from sslreg.assembly import trial
from sslreg.spec import Spec, parse_spec
from sslreg.testing.temporary_components import temporary_components
from sslreg.training import loop
from sslreg.training.dry_run import BATCHES_PER_WORKER, IMAGES, STEPS, dry_run


@pytest.fixture
def spec(tiny_spec: str):
    def parse(*overrides: str) -> Spec:
        return parse_spec(tiny_spec, "tiny.yaml", overrides)

    return parse


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run in a separate folder, with one for temporary files, and check both afterwards."""
    work, temporary = tmp_path / "work", tmp_path / "temporary"
    work.mkdir()
    temporary.mkdir()
    monkeypatch.chdir(work)
    # Workers send through sockets in a folder that multiprocessing keeps; in this one their names would be too long.
    multiprocessing.util.get_temp_dir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    yield
    assert [*work.iterdir(), *temporary.iterdir()] == []


def test_everything_is_tried_once_and_reported(spec, monkeypatch: pytest.MonkeyPatch) -> None:
    tried, original = [], trial._try_spec
    monkeypatch.setattr(trial, "_try_spec", lambda spec: tried.append(spec) or original(spec))
    found = dry_run(spec())
    assert found is not None
    assert len(tried) == 1
    assert len(found.losses) == STEPS
    assert found.embedded == IMAGES + 449
    assert sorted(found.evaluated) == ["few_shot", "neighbors"]
    assert found.too_few == {}
    assert found.checkpoint_bytes > 10_000
    assert found.memory_bytes > 100e6
    assert found.device_bytes is None
    assert (found.steps_per_epoch, found.steps) == (21, 42)
    assert found.seconds == pytest.approx(2 * found.epoch_seconds)
    assert found.epoch_seconds == 21 * found.timing.step_seconds > 0
    assert (found.timing.batches, found.timing.checkpoints) == (STEPS - 1, 3)
    assert sum(found.timing.step_shares.values()) == pytest.approx(1)
    assert (found.evaluated_images, found.evaluation_images) == (IMAGES + 449, 1348 + 449)
    assert (found.evaluation_seconds or 0.0) > 0


def test_a_long_warmup_and_accumulation_are_those_of_the_training(spec) -> None:
    found = dry_run(spec("schedule.warmup_epochs=2", "trainer.accumulate_grad_batches=2", "data.workers=1"))
    assert found is not None
    assert len(found.losses) == STEPS
    assert (found.steps_per_epoch, found.steps) == (11, 22)
    assert found.worker_bytes > 0


def test_enough_batches_are_measured_that_workers_reach_their_pace(spec) -> None:
    found = dry_run(spec("data.workers=2", "evaluate=[]"))
    assert found is not None
    assert found.timing.batches == 2 * BATCHES_PER_WORKER
    assert found.timing.loaded_batches > 0


def test_a_short_training_leaves_a_step_for_resuming(spec) -> None:
    found = dry_run(spec("trainer.limit_train_batches=3", "trainer.max_epochs=1", "evaluate=[]"))
    assert found is not None
    assert (len(found.losses), found.steps) == (2, 3)


class Choosy(sslreg.Evaluator):
    """Needs more images than a dry run shows."""

    def evaluate(self, reference, test, run) -> dict[str, float]:
        if len(reference) < 1000:
            raise ValueError("1000 images are the least")
        return {"score": 1.0}


@pytest.mark.parametrize("override", ["trainer.limit_train_batches=0", "trainer.max_epochs=0"])
def test_a_training_without_steps_is_tried(spec, override: str) -> None:
    result = dry_run(spec(override, "evaluate=[]"))
    assert (result.losses, result.steps, result.seconds) == ([], 0, 0.0)


def test_an_evaluator_that_needs_more_images_is_named(spec) -> None:
    with temporary_components(evaluator={"choosy": Choosy}):
        found = dry_run(spec("evaluate=[{use: choosy}, {use: knn}]"))
    assert found is not None
    assert found.evaluated == ["knn"]
    assert list(found.too_few) == ["choosy"]
    assert "1000 images are the least" in found.too_few["choosy"]


def test_images_are_embedded_without_evaluators_too(spec) -> None:
    found = dry_run(spec("evaluate=[]"))
    assert found is not None
    assert (found.embedded, found.evaluated, found.evaluation_seconds) == (IMAGES, [], None)


class Loud(Logger):
    """A logger that must get nothing."""

    name, version = "loud", ""

    def log_metrics(self, metrics, step=None) -> None:
        raise AssertionError("a dry run logs nothing")

    def log_hyperparams(self, params, *args, **kwargs) -> None:
        raise AssertionError("a dry run logs nothing")


def test_loggers_and_plugins_are_not_called(spec, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []
    monkeypatch.setattr(loop, "call_run_finished", calls.append)
    with temporary_components(logger={"loud": Loud}):
        assert dry_run(spec("loggers=[{use: loud}]"))
    assert calls == []


class Forgetful(sslreg.Loss):
    """Can be saved, and not loaded."""

    def forward(self, a, b, targets=None):
        return (a - b).square().mean()

    def get_extra_state(self) -> torch.Tensor:
        return torch.zeros(1)

    def set_extra_state(self, state: torch.Tensor) -> None:
        raise sslreg.SslregError("the state cannot be taken up again")


def test_what_would_fail_when_the_run_goes_on_is_found(spec) -> None:
    with (
        temporary_components(loss={"forgetful": Forgetful}),
        pytest.raises(sslreg.SslregError, match="cannot be taken up again"),
    ):
        dry_run(spec("loss={use: forgetful}"))


class Failing(sslreg.Loss):
    def forward(self, a, b, targets=None):
        raise sslreg.SslregError("it fails while running")


def test_what_fails_fails_as_in_a_training(spec) -> None:
    with (
        temporary_components(loss={"failing": Failing}),
        pytest.raises(sslreg.SslregError, match="fails while running") as error,
    ):
        dry_run(spec("loss={use: failing}"))
    assert error.value.exit_status == 1
    with pytest.raises(UserError, match="larger than the training set") as mistake:
        dry_run(spec("data.batch_size=5000"))
    assert mistake.value.exit_status == 2
