"""Signals that ask a run to stop, whatever it is doing."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

import sslreg
from sslreg import Run
from sslreg.errors import InterruptedRunError, StoppedRunError
from sslreg.evaluation import Evaluation
from sslreg.spec import parse_spec
from sslreg.training.stop_signals import STOP_SIGNALS, StopSignals

Trained = Callable[..., Path]


def sends(*numbers: signal.Signals) -> Callable[[], None]:
    def send() -> None:
        for number in numbers:
            os.kill(os.getpid(), number)

    return send


@pytest.fixture
def interrupted(tiny_spec: str, tmp_path: Path, moco) -> Trained:
    """Trains until a signal stops it."""

    def train(*overrides: str) -> Path:
        with pytest.raises(InterruptedRunError) as caught:
            sslreg.train(parse_spec(tiny_spec, "tiny.yaml", [*moco, *overrides]), tmp_path / "run")
        assert caught.value.exit_status == 75
        return tmp_path / "run"

    return train


@pytest.fixture
def during_evaluation(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], None]], None]:
    """Has something happen in the middle of the evaluation of that number; the baseline's is the first."""

    def plan(number: int, action: Callable[[], None]) -> None:
        original, calls = Evaluation.evaluate_model, []

        def evaluate_model(self, model, *arguments):
            calls.append(model)
            if len(calls) == number:
                action()
            return original(self, model, *arguments)

        monkeypatch.setattr(Evaluation, "evaluate_model", evaluate_model)

    return plan


@pytest.mark.parametrize(
    ("number", "step", "workers"), [(signal.SIGTERM, 24, 0), (signal.SIGUSR1, 20, 2), (signal.SIGINT, 0, 0)]
)
def test_the_running_step_is_finished_and_the_run_goes_on_after_it(
    interrupted: Trained, at_step, undisturbed: Path, assert_same, number: signal.Signals, step: int, workers: int
) -> None:
    at_step(step, sends(number))
    path = interrupted(f"data.workers={workers}")
    summary = Run(path).summary
    assert (summary["status"], summary["steps"]) == ("interrupted", step + 1)
    assert sslreg.resume(path).summary["resumed_at"] == [step + 1]
    assert_same(undisturbed, path)


def test_after_the_last_step_the_last_evaluation_is_owed(
    interrupted: Trained, at_step, undisturbed: Path, assert_same
) -> None:
    at_step(41, sends(signal.SIGTERM))
    path = interrupted()
    assert Run(path).summary["steps"] == 42
    assert sslreg.resume(path).summary["resumed_at"] == [42]
    assert_same(undisturbed, path)


@pytest.mark.parametrize(("evaluation", "step"), [(2, 21), (3, 42)])
def test_an_evaluation_is_broken_off_and_made_up_for(
    interrupted: Trained, during_evaluation, undisturbed: Path, assert_same, evaluation: int, step: int
) -> None:
    during_evaluation(evaluation, sends(signal.SIGTERM))
    path = interrupted()
    assert (Run(path).summary["status"], Run(path).summary["steps"]) == ("interrupted", step)
    run = sslreg.resume(path)
    assert (run.summary["resumed_at"], run.summary["status"]) == ([step], "finished")
    assert_same(undisturbed, path)


def test_before_the_first_step_nothing_is_left_behind(interrupted: Trained, during_evaluation) -> None:
    during_evaluation(1, sends(signal.SIGTERM))
    assert not interrupted().exists()


def test_a_signal_before_the_first_step_leaves_a_run_that_goes_on(
    interrupted: Trained, undisturbed: Path, assert_same, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sslreg.training import loop

    build = loop.build_training_loader

    def loader(*arguments, **options):
        sends(signal.SIGTERM)()
        return build(*arguments, **options)

    monkeypatch.setattr(loop, "build_training_loader", loader)
    path = interrupted()
    monkeypatch.setattr(loop, "build_training_loader", build)
    assert sslreg.resume(path).summary["resumed_at"] == [0]
    assert_same(undisturbed, path)


def test_a_second_interrupt_stops_at_once(
    tiny_spec: str, tmp_path: Path, moco, at_step, undisturbed: Path, assert_same
) -> None:
    """The unfinished step is lost as a whole."""
    at_step(30, sends(signal.SIGINT, signal.SIGINT))
    path = tmp_path / "run"
    with pytest.raises(StoppedRunError, match="stopped at once, after step 30") as caught:
        sslreg.train(parse_spec(tiny_spec, "tiny.yaml", [*moco, "checkpoint.every_steps=8"]), path)
    assert caught.value.exit_status == 130
    assert Run(path).summary["status"] == "interrupted"
    assert sslreg.resume(path).summary["resumed_at"] == [24]
    assert_same(undisturbed, path)


def test_further_signals_of_a_queue_change_nothing(interrupted: Trained, at_step) -> None:
    at_step(3, sends(signal.SIGUSR1, signal.SIGTERM, signal.SIGTERM))
    assert Run(interrupted()).summary["steps"] == 4


def test_the_message_names_the_signal_and_the_command_that_resumes(tiny_spec: str, tmp_path: Path, at_step) -> None:
    at_step(3, sends(signal.SIGTERM))
    with pytest.raises(InterruptedRunError) as caught:
        sslreg.train(parse_spec(tiny_spec, "tiny.yaml", ["evaluate=[]"]), tmp_path / "my run")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.message == f"interrupted by SIGTERM after step 4; what was trained is in {tmp_path / 'my run'}"
    assert diagnostic.hint == f"resume with: sslreg train --resume '{tmp_path / 'my run'}'"


def test_handlers_are_put_back() -> None:
    before = [signal.getsignal(number) for number in (*STOP_SIGNALS, signal.SIGCHLD)]
    with StopSignals() as stop:
        assert signal.getsignal(signal.SIGTERM) == stop._handle
    assert [signal.getsignal(number) for number in (*STOP_SIGNALS, signal.SIGCHLD)] == before
