"""The guard against forgetting."""

from __future__ import annotations

import csv
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import sslreg
from sslreg import Run
from sslreg.errors import InterruptedRunError, UserError
from sslreg.spec import parse_spec
from sslreg.training.resume import train_or_resume

GUARD = (
    "guard.reference={use: digits, split: train, subset: 300}",
    "guard.test={use: digits, split: test, subset: 200}",
    "guard.evaluator={use: knn, k: 5}",
)
#: Without other evaluations, which take longer than the training.
ALONE = ("evaluate=[]", "data.test=null", "data.train.subset=0.3")
#: With this rate, the first steps ruin the features.
RUINOUS = "optimizer.lr=100000"


def rows(path: Path) -> list[dict[str, str]]:
    with (path / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def train(tiny_spec: str, tmp_path: Path) -> Callable[..., Run]:
    def run(*overrides: str, out: str = "run") -> Run:
        return sslreg.train(parse_spec(tiny_spec, "tiny.yaml", overrides), tmp_path / out)

    return run


def guarded_figures(run: Run) -> list[float]:
    return [float(row["guard_knn_top1"]) for row in rows(run.path) if row.get("guard_knn_top1")]


def test_the_figure_is_recorded_before_the_first_step_and_after_each_epoch(train) -> None:
    run = train(*GUARD, *ALONE, "guard.max_drop=1")
    figures = guarded_figures(run)
    assert len(figures) == 1 + run.summary["epochs"]
    summary = run.summary["guard"]
    assert (summary["start"], summary["latest"]) == (figures[0], figures[-1])
    assert summary["figure"] == "guard_knn_top1"
    assert (summary["stopped_at"], summary["kept_step"]) == (None, run.summary["steps"])


def test_a_guarded_training_has_the_weights_of_one_without_a_guard(train) -> None:
    plain, guarded = train(*ALONE), train(*GUARD, *ALONE, "guard.max_drop=1", out="guarded")
    for name, value in plain.checkpoint()["state_dict"].items():
        assert torch.equal(value, guarded.checkpoint()["state_dict"][name]), name


@pytest.mark.parametrize("average", ["null", "0.5"])
def test_a_ruinous_rate_is_stopped_and_the_starting_weights_are_kept(train, average: str) -> None:
    run = train(*GUARD, RUINOUS, f"engine.ema={average}", "trainer.max_epochs=3", "evaluate=[{use: knn}]")
    summary = run.summary["guard"]
    assert summary["latest"] < summary["start"] - 0.02
    assert (summary["stopped_at"], summary["kept_step"]) == (run.summary["steps"], 0)
    assert run.summary["status"] == "finished"
    untrained = run.summary["baseline"]["untrained"]
    assert {name: run.summary["final"][name] for name in untrained} == untrained


def test_a_drop_is_reported_once_if_training_continues(train, capsys: pytest.CaptureFixture[str]) -> None:
    run = train(*GUARD, *ALONE, RUINOUS, "guard.on_drop=warn", "trainer.max_epochs=3")
    assert run.summary["epochs"] == 3
    assert run.summary["guard"]["stopped_at"] is None
    assert capsys.readouterr().err.count("by more than guard.max_drop = 0.02") == 1
    assert not run.folder.guarded_checkpoint.exists()


def test_a_later_drop_restores_the_last_good_epoch(train, monkeypatch: pytest.MonkeyPatch) -> None:
    from sslreg.training.callbacks import periodic_evaluation

    figures = iter([0.5, 0.49, 0.4])
    monkeypatch.setattr(
        periodic_evaluation.PeriodicEvaluation,
        "_run_evaluators",
        lambda self, module: {"guard_knn_top1": next(figures)} if type(self).__name__ == "ForgettingGuard" else {},
    )
    run = train(*GUARD, *ALONE, "trainer.max_epochs=4")
    assert run.summary["guard"]["kept_step"] == 5
    assert run.summary["guard"]["stopped_at"] == 10
    kept = torch.load(run.folder.guarded_checkpoint, weights_only=True)["state_dict"]
    assert all(torch.equal(value, kept[name]) for name, value in run.checkpoint()["state_dict"].items())


def test_a_stopped_run_does_not_resume(train, tiny_spec: str) -> None:
    overrides = [*GUARD, *ALONE, RUINOUS, "trainer.max_epochs=3"]
    run = train(*overrides)
    stopped_at = run.summary["guard"]["stopped_at"]
    assert stopped_at < 15
    with pytest.raises(UserError, match=f"guard of .* ended the training after step {stopped_at}"):
        sslreg.resume(run.path)
    spec = parse_spec(tiny_spec, "tiny.yaml", overrides)
    assert train_or_resume(spec, run.path).summary["steps"] == stopped_at


def test_an_interrupted_run_resumes_with_the_same_standard(
    train, tmp_path: Path, at_step: Callable[..., None], assert_same: Callable[[Path, Path], None]
) -> None:
    whole = train(*GUARD, *ALONE, "guard.max_drop=1", out="whole")
    at_step(8, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(InterruptedRunError):
        train(*GUARD, *ALONE, "guard.max_drop=1")
    resumed = sslreg.resume(tmp_path / "run")
    assert_same(whole.path, resumed.path)
    assert resumed.summary["guard"] == whole.summary["guard"]


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        (["guard.figure=top2"], "returns no metric 'top2'"),
        (["guard.max_drop=-1"], "max_drop"),
        (["guard.evaluator={use: dense_knn}"], "patches"),
    ],
)
def test_check_refuses_what_a_guard_cannot_do(tiny_spec: str, overrides: list[str], reason: str) -> None:
    from sslreg.assembly import try_spec

    with pytest.raises(UserError, match=reason):
        try_spec(parse_spec(tiny_spec, "tiny.yaml", [*GUARD, *overrides]))


def test_a_guard_needs_both_data_sets(tiny_spec: str) -> None:
    with pytest.raises(UserError, match="test"):
        parse_spec(tiny_spec, "tiny.yaml", [*GUARD[::2]])


def test_data_without_labels_is_refused_with_its_key(train, photos: Path) -> None:
    unlabeled = f"guard.test={{use: image_folder, root: {photos}, labels: none}}"
    with pytest.raises(UserError, match=r"the test set has none[\s\S]*under guard.test"):
        train(*GUARD, *ALONE, unlabeled)


def test_a_dry_run_tries_the_guard(tiny_spec: str) -> None:
    from sslreg.training.dry_run import dry_run

    result: Any = dry_run(parse_spec(tiny_spec, "tiny.yaml", [*GUARD, *ALONE]))
    assert "guard_knn" in result.evaluated
