"""Ending a training early, at the request of its caller."""

from __future__ import annotations

import csv
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

import sslreg
from sslreg import Run
from sslreg.errors import InterruptedRunError
from sslreg.evaluation import Evaluation
from sslreg.spec import Spec, parse_spec

#: Two steps of an epoch, and an evaluator with a figure after every second epoch.
SHORT = (
    *("data.train.subset=128", "data.test.subset=64", "data.reference={use: digits, split: train, subset: 64}"),
    *("trainer.max_epochs=5", "evaluate=[{use: knn, every: 2, as: neighbors}, {use: few_shot, draws: 1, shots: [1]}]"),
)


@pytest.fixture
def spec(tiny_spec: str) -> Spec:
    return parse_spec(tiny_spec, "tiny.yaml", SHORT)


def stop_after(epochs: int) -> Callable[[int, Mapping[str, float]], bool]:
    return lambda finished, _: finished >= epochs


def rows(run: Run) -> list[dict[str, str]]:
    with (run.path / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def weights(run: Run) -> dict[str, Any]:
    state: dict[str, Any] = run.checkpoint()["state_dict"]
    return state


def assert_same_weights(one: Run, other: Run) -> None:
    a, b = weights(one), weights(other)
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_the_caller_follows_the_figures_and_changes_nothing(spec: Spec, tmp_path: Path) -> None:
    seen: dict[int, dict[str, float]] = {}

    def follow(epochs: int, figures: Mapping[str, float]) -> bool:
        seen[epochs] = dict(figures)
        return False

    plain, followed = sslreg.train(spec, tmp_path / "plain"), sslreg.train(spec, tmp_path / "run", should_stop=follow)
    assert_same_weights(plain, followed)
    assert rows(plain) == rows(followed)
    assert plain.summary["final"] == followed.summary["final"]
    assert not followed.summary["ended_early"]
    assert list(seen) == [1, 2, 3, 4]
    assert {"loss", "lr", "alignment", "uniformity", "effective_rank"} <= seen[1].keys()
    assert [epochs for epochs, figures in seen.items() if "neighbors_top1" in figures] == [2, 4]
    written = [float(row["neighbors_top1"]) for row in rows(followed) if row["neighbors_top1"]]
    assert [f"{seen[epochs]['neighbors_top1']:.7g}" for epochs in (2, 4)] == [f"{value:.7g}" for value in written[:2]]


def test_a_run_that_ends_early_is_evaluated_and_complete(
    spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluated: list[list[str]] = []
    evaluate = Evaluation.evaluate_model

    def record(self: Evaluation, model: Any, evaluators: Any, *options: Any) -> dict[str, float]:
        evaluated.append([named.name for named in evaluators])
        return evaluate(self, model, evaluators, *options)

    monkeypatch.setattr(Evaluation, "evaluate_model", record)
    run = sslreg.train(spec, tmp_path / "run", should_stop=stop_after(2))
    summary = run.summary
    assert (summary["status"], summary["epochs"], summary["ended_early"]) == ("finished", 2, True)
    assert {"neighbors_top1", "few_shot_1", "loss"} <= summary["final"].keys()
    # The neighbors were evaluated after the second epoch, and their figures are not computed again.
    assert evaluated[-2:] == [["neighbors"], ["few_shot"]]
    assert run.backbone() is not None


def test_a_run_that_ended_early_is_returned_as_it_is(spec: Spec, tmp_path: Path) -> None:
    run = sslreg.train_or_resume(spec, tmp_path / "run", should_stop=stop_after(1))
    before = run.summary
    assert sslreg.train_or_resume(spec, tmp_path / "run").summary == before


def test_a_run_that_ended_early_can_be_resumed_and_ends_like_an_undisturbed_one(spec: Spec, tmp_path: Path) -> None:
    whole = sslreg.train(spec, tmp_path / "whole")
    stopped = sslreg.train(spec, tmp_path / "run", should_stop=stop_after(2))
    resumed = sslreg.resume(stopped.path)
    assert_same_weights(whole, resumed)
    assert resumed.summary["final"] == whole.summary["final"]
    assert not resumed.summary["ended_early"]


@pytest.mark.parametrize("evaluation", [-2, -1], ids=["intermediate", "final"])
def test_a_run_that_is_interrupted_in_an_evaluation_asks_when_it_resumes(
    spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, evaluation: int
) -> None:
    """An interruption of the intermediate evaluation comes before the answer, and one of the final one after it."""
    whole = sslreg.train(spec, tmp_path / "whole", should_stop=stop_after(2))
    evaluate, calls = Evaluation.evaluate_model, []

    def interrupt(self: Evaluation, model: Any, evaluators: Any, *options: Any) -> dict[str, float]:
        calls.append([named.name for named in evaluators])
        if calls[-1] == [["neighbors"], ["few_shot"]][evaluation]:
            os.kill(os.getpid(), signal.SIGTERM)
        return evaluate(self, model, evaluators, *options)

    monkeypatch.setattr(Evaluation, "evaluate_model", interrupt)
    asked: list[int] = []

    def should_stop(epochs: int, _: Mapping[str, float]) -> bool:
        asked.append(epochs)
        return epochs == 2

    with pytest.raises(InterruptedRunError):
        sslreg.train_or_resume(spec, tmp_path / "run", should_stop=should_stop)
    monkeypatch.setattr(Evaluation, "evaluate_model", evaluate)
    run = sslreg.train_or_resume(spec, tmp_path / "run", should_stop=should_stop)
    assert asked == [1, 2]
    assert rows(run) == rows(whole)
    assert run.summary["final"] == whole.summary["final"]
    assert run.summary["ended_early"]
