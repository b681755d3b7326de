"""Which differences between runs and baselines are distinguishable."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from sslreg import UserError
from sslreg.runs.comparison import (
    Estimate,
    compare,
    compare_subjects,
    describe_label_savings,
    select_main_metrics,
    tabulate_runs,
)
from sslreg.runs.records import RunRecord, find_runs

SPEC = "version: 1\nseed: {seed}\ndata: {{test: {{use: {data}}}}}\noptimizer: {{use: sgd, lr: {lr}}}\n"


def metrics(value: float, interval: float = 0.02) -> dict[str, float]:
    return {"linear_top1": value, "linear_top1_ci": interval}


@pytest.fixture
def add(tmp_path: Path):
    """Adds the folder of a run with a seed, a learning rate and the values of a metric by subject."""

    def add(name: str, seed: int = 0, lr: float = 0.1, data: str = "digits", **values: float) -> None:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "spec.resolved.yaml").write_text(SPEC.format(seed=seed, lr=lr, data=data))
        own = {subject: metrics(value) for subject, value in values.items()}
        summary = {"status": "finished", "final": own.pop("trained", {}), "baseline": own}
        (folder / "summary.json").write_text(json.dumps(summary))

    return add


def records(root: Path) -> tuple[list[RunRecord], list[str]]:
    runs = sorted(find_runs(root), key=lambda run: run.path)
    return runs, [run.path.name for run in runs]


def test_a_sentence_states_which_differences_are_distinguishable() -> None:
    subjects = {
        "raw_pixels": metrics(0.3),
        "untrained": metrics(0.4),
        "starting": metrics(0.79),
        "dinov2": metrics(0.85),
        "large": metrics(0.9),
        "trained": metrics(0.84) | {"loss": 0.1, "spectrum_rankme": 9.0},
    }
    (comparison,) = compare_subjects(subjects)
    assert comparison.sentence == (
        "linear_top1: training reached 0.840 (0.820–0.860); that is better than the starting weights (0.790 ± 0.020), "
        "the untrained backbone (0.400 ± 0.020), and raw pixels (0.300 ± 0.020), worse than large (0.900 ± 0.020), and "
        "not distinguishable from dinov2 (0.850 ± 0.020)."
    )
    assert comparison.as_json()["not_distinguishable_from"] == ["dinov2"]


@pytest.mark.parametrize(("other", "group"), [(0.771, "similar_to"), (0.770, "better_than"), (0.871, "worse_than")])
def test_differences_are_compared_with_both_intervals(other: float, group: str) -> None:
    comparison = compare("m", Estimate("a", 0.8, 0.02), [Estimate("b", other, 0.0215)])
    assert comparison is not None
    assert [len(getattr(comparison, name)) for name in ("similar_to", "better_than", "worse_than")].count(1) == 1
    assert getattr(comparison, group)


def test_values_that_are_not_finite_are_not_distinguishable() -> None:
    comparison = compare("m", Estimate("a", math.nan, 0.02), [Estimate("b", 0.5, 0.02)])
    assert comparison is not None
    assert comparison.similar_to


def test_a_metric_without_baselines_or_intervals_is_not_compared() -> None:
    assert compare_subjects({"trained": metrics(0.8)}) == []
    assert compare_subjects({"trained": {"spectrum_rankme": 9.0}, "untrained": {"spectrum_rankme": 3.0}}) == []
    assert compare_subjects({"trained": metrics(0.8), "untrained": {"linear_top1": 0.5}}) == []


def test_the_main_metric_of_an_evaluator_is_its_first_or_that_of_all_labels() -> None:
    names = ("knn_top1", "knn_top5", "mine_a", "mine_b", "few_shot_1", "few_shot_5", *LABELS)
    own = dict.fromkeys(names, 0.5) | {f"{name}_ci": 0.1 for name in names}
    assert select_main_metrics(own) == ["knn_top1", "mine_a", "few_shot_1"]
    assert select_main_metrics({name: own[name] for name in own if name.startswith("label")}) == [
        "label_efficiency_all"
    ]


LABELS = ("label_efficiency_1", "label_efficiency_10", "label_efficiency_all")


def test_a_sentence_states_how_many_labels_training_saves() -> None:
    trained = dict(zip(LABELS, (0.5, 0.8, 0.9), strict=True)) | {"label_efficiency_10_ci": 0.04}
    before = dict(zip(LABELS, (0.4, 0.6, 0.75), strict=True))
    (sentence,) = describe_label_savings({"untrained": {}, "starting": before, "trained": trained})
    assert sentence == (
        "label_efficiency: with 10 labels per class, training reaches 0.800 ± 0.040; the starting weights need all "
        "labels for 0.750."
    )
    (sentence,) = describe_label_savings({"untrained": before, "trained": {**trained, "label_efficiency_1": 0.75}})
    assert "with 1 label per class, training reaches 0.750; the untrained backbone needs all labels" in sentence
    assert describe_label_savings({"untrained": trained, "trained": before}) == []
    assert describe_label_savings({"trained": trained}) == []


def test_baselines_that_runs_share_have_one_row(add, tmp_path: Path) -> None:
    add("a", lr=0.1, raw_pixels=0.3, untrained=0.4, trained=0.8)
    add("b", lr=0.2, raw_pixels=0.3, untrained=0.5, trained=0.9)
    table = tabulate_runs(*records(tmp_path))
    assert [row.name for row in table.rows] == ["raw pixels", "untrained of a", "untrained of b", "a", "b"]
    (comparison,) = table.comparisons()
    assert comparison.sentence.startswith(
        "linear_top1: b reached 0.900 (0.880–0.920); that is better than a (0.800 ± 0.020), the untrained backbone of b"
    )


def test_three_seeds_are_averaged_with_an_interval_over_seeds(add, tmp_path: Path) -> None:
    for seed, value in enumerate((0.8, 0.85, 0.9)):
        add(f"s{seed}", seed=seed, raw_pixels=0.3, trained=value)
    add("t", lr=0.5, raw_pixels=0.3, trained=0.9)
    table = tabulate_runs(*records(tmp_path))
    assert [row.name for row in table.rows] == ["raw pixels", "s0 and 2 other seeds", "t"]
    estimate = table.rows[1].metrics["linear_top1"]
    assert estimate.value == pytest.approx(0.85)
    assert estimate.interval == pytest.approx(math.hypot(0.02, 4.302653 * 0.05 / math.sqrt(3)))
    assert table.rows[0].metrics["linear_top1"].interval == pytest.approx(0.02)
    (comparison,) = table.comparisons()
    assert [other.name for other in comparison.similar_to] == ["s0 and 2 other seeds"]


def test_two_seeds_have_a_row_each(add, tmp_path: Path) -> None:
    for seed in range(2):
        add(f"s{seed}", seed=seed, trained=0.8)
    assert [row.name for row in tabulate_runs(*records(tmp_path)).rows] == ["s0", "s1"]


def test_runs_on_different_data_are_refused(add, tmp_path: Path) -> None:
    add("a", trained=0.8)
    add("b", data="mnist", trained=0.8)
    with pytest.raises(UserError, match="b was tested on other data than a"):
        tabulate_runs(*records(tmp_path))


def test_runs_without_metrics_are_refused(add, tmp_path: Path) -> None:
    add("a")
    with pytest.raises(UserError, match="no metrics with intervals"):
        tabulate_runs(*records(tmp_path))
