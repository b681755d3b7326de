"""Baselines are evaluated once, by whichever run needs them first."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
import timm
import torch

import sslreg
from sslreg import Evaluator, Run, UserError
from sslreg.runs.baseline_evaluation import split_by_evaluator
from sslreg.runs.run_evaluation import evaluate_run
from sslreg.spec import parse_spec
from sslreg.testing import temporary_components

#: The evaluated features by their width.
EVALUATED: Counter[int] = Counter()

RAW, SIMCLR, SIMSIAM, TIMM = 64, 32, 16, 96


class Counting(Evaluator):
    """Counts which features it evaluates."""

    def evaluate(self, reference, test, run):
        EVALUATED[test.features.shape[1]] += 1
        return {"mean": float(test.features.mean()), "mean_ci": 0.1}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An empty cache, and no counts."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("SSLREG_BASELINE_CACHE")
    EVALUATED.clear()
    with temporary_components(evaluator={"counting": Counting}):
        yield


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    path = tmp_path / "resnet.pth"
    torch.save(timm.create_model("test_resnet").state_dict(), path)
    return path


@pytest.fixture
def train(tiny_spec: str, tmp_path: Path):
    """Trains a step of the tiny spec with overrides."""

    def train(*overrides: str) -> Run:
        settings = ("evaluate=[{use: counting}]", "trainer.max_steps=1", *overrides)
        spec = parse_spec(tiny_spec, "tiny.yaml", settings)
        return sslreg.train(spec, tmp_path / f"run{len(list(tmp_path.glob('run*')))}")

    return train


def backbone(weights: Path) -> str:
    return f"{{use: timm, name: test_resnet, weights: {weights}}}"


def test_another_method_on_the_same_data_and_view_reuses_raw_pixels(train) -> None:
    first = train()
    assert EVALUATED == {RAW: 1, SIMCLR: 2}  # untrained and trained
    second = train("model={use: simsiam, backbone: {use: convnet, width: 4, depth: 3}}", "loss={use: simsiam}")
    assert EVALUATED == {RAW: 1, SIMCLR: 2, SIMSIAM: 2}
    assert first.summary["baseline"]["raw_pixels"] == second.summary["baseline"]["raw_pixels"]


def test_a_run_from_weights_has_four_subjects(train, weights: Path) -> None:
    run = train(f"model.backbone={backbone(weights)}", f"baselines={{other: {backbone(weights)}}}")
    baselines = run.summary["baseline"]
    assert list(baselines) == ["raw_pixels", "untrained", "starting", "other"]
    assert baselines["starting"] == baselines["other"] != baselines["untrained"]
    assert {"model.backbone", "baselines.other"} <= set(run.lock["weights"])
    before = EVALUATED.copy()
    metrics = evaluate_run(run)
    assert EVALUATED - before == {TIMM: 1}  # the trained backbone
    assert list(metrics.by_subject) == [*baselines, "trained"]
    assert {name: metrics.by_subject[name] for name in baselines} == baselines
    assert metrics.unavailable == {}


def test_a_run_is_evaluated_without_the_files_of_weights(train, weights: Path) -> None:
    run = train(f"model.backbone={backbone(weights)}", f"baselines={{other: {backbone(weights)}}}")
    assert run.initial_model()[0] == "starting"
    weights.unlink()
    assert run.initial_model()[0] == "untrained"
    metrics = evaluate_run(run)
    assert metrics.by_subject["starting"] == run.summary["baseline"]["starting"]
    assert metrics.unavailable == {}
    metrics = evaluate_run(run, ["counting", "knn"])
    assert metrics.by_subject["starting"] == run.summary["baseline"]["starting"]
    assert "knn_top1" in metrics.by_subject["untrained"]
    assert set(metrics.unavailable) == {"starting", "other"}
    assert "resnet.pth" in metrics.unavailable["starting"]
    assert metrics.as_json()["unavailable"] == metrics.unavailable


def test_other_weights_in_the_same_file_are_not_the_starting_weights(train, weights: Path) -> None:
    run = train(f"model.backbone={backbone(weights)}")
    torch.save(timm.create_model("test_resnet").state_dict(), weights)
    assert evaluate_run(run, ["knn"]).unavailable == {"starting": "the weights have changed since the run started"}


def test_a_missing_further_baseline_is_found_before_training(train, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"missing\.pth"):
        train(f"baselines={{other: {backbone(tmp_path / 'missing.pth')}}}")
    assert not list(tmp_path.glob("run*"))


def test_all_runs_use_the_cache_unless_it_is_switched_off(train, monkeypatch: pytest.MonkeyPatch) -> None:
    train()
    before = EVALUATED.copy()
    run = train("optimizer.lr=0.2")
    assert EVALUATED - before == {SIMCLR: 1}
    assert len(json.loads(run.folder.baselines.read_text())["metrics"]) == 2
    monkeypatch.setenv("SSLREG_BASELINE_CACHE", "off")
    train("optimizer.lr=0.3")
    assert EVALUATED == {RAW: 2, SIMCLR: 5}


def test_metrics_belong_to_the_evaluator_with_the_longest_name() -> None:
    metrics = {"knn_top1": 0.1, "knn_far_top1": 0.2}
    assert split_by_evaluator(metrics, ["knn", "knn_far"]) == {
        "knn": {"knn_top1": 0.1},
        "knn_far": {"knn_far_top1": 0.2},
    }
