"""The naming scheme of metrics, and how metrics are formatted."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sslreg import metric_names

PROFILE = {
    "affine_rotation": 0.5,
    "affine_rotation_ci": 0.1,
    "affine_rotation_s100": 0.9,
    "affine_rotation_s100_ci": 0.1,
    "affine_rotation_s25": 0.1,
    "affine_rotation_readback": 0.7,
    "shape": 0.5,
    "top_s9": 0.2,
}


def test_a_metric_is_formatted_with_its_interval_if_it_has_one() -> None:
    assert metric_names.format_metric({"top1": 0.9641, "top1_ci": 0.0079}, "top1") == "0.964 ± 0.008"
    assert metric_names.format_metric({"top1": 0.9641}, "top1") == "0.964"
    assert metric_names.format_metric({}, "top1") == ""


def test_extreme_values_are_formatted_briefly() -> None:
    assert metric_names.format_value(1e30, 2e29) == "1e+30 ± 2e+29"
    assert metric_names.format_value(float("-inf"), float("nan")) == "-inf ± nan"
    assert metric_names.format_value(-9999.0) == "-9999.000"


def test_a_readback_below_zero_is_shown_as_zero() -> None:
    metrics = {"affine_readback": -3.2, "affine_readback_ci": 0.25, "affine": -3.2}
    assert metric_names.format_metric(metrics, "affine_readback") == "0.000 ± 0.250"
    assert metric_names.format_metric(metrics, "affine") == "-3.200"


def test_expected_metrics_are_next_to_those_reached() -> None:
    expect = {"knn_top1": 0.838, "linear_top1": 0.9, "source": "a paper"}
    assert metric_names.format_expected({}) == []
    assert metric_names.format_expected(expect)[0] == "knn_top1: expected 0.838 (a paper)"
    assert metric_names.format_expected(expect, {"knn_top1": 0.85, "knn_top1_ci": 0.01}) == [
        "knn_top1: 0.850 ± 0.010, expected 0.838 (a paper)",
        "linear_top1: not evaluated, expected 0.900 (a paper)",
    ]


def test_a_count_of_one_has_a_singular_noun() -> None:
    assert [metric_names.format_count(number, "image") for number in (0, 1, 2000)] == [
        "0 images",
        "1 image",
        "2,000 images",
    ]


def test_an_interval_without_its_metric_is_kept() -> None:
    assert metric_names.drop_intervals(["top1", "top1_ci", "odd_ci"]) == ["top1", "odd_ci"]


def test_strengths_are_dropped_if_their_mean_is_present() -> None:
    kept = metric_names.drop_strengths(metric_names.drop_intervals(PROFILE))
    assert kept == ["affine_rotation", "affine_rotation_readback", "shape", "top_s9"]


def test_the_distances_of_a_profile_are_those_of_augmentations_and_groups() -> None:
    assert metric_names.distance_names(PROFILE) == ["affine_rotation", "shape"]


def test_values_by_strength_are_in_numerical_order() -> None:
    assert list(metric_names.values_by_strength(PROFILE, "affine_rotation").items()) == [(25, 0.1), (100, 0.9)]
    assert metric_names.values_by_strength(PROFILE, "affine") == {}


@pytest.mark.parametrize(
    ("name", "expected"),
    [("color", ("color",)), ("affine_rotation", ("shape",)), ("gaussian_blur", ("texture",)), ("of_someone", ())],
)
def test_an_aspect_has_the_invariances_of_its_augmentation(name: str, expected: tuple[str, ...]) -> None:
    assert metric_names.invariances_of(name) == expected


def test_nothing_heavy_is_imported() -> None:
    program = "import sys, sslreg.metric_names; sys.exit(' '.join({'torch', 'numpy'} & set(sys.modules)) or 0)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_a_guard_is_described_by_what_it_did() -> None:
    guard = {"figure": "guard_knn_top1", "start": 0.8, "latest": 0.79, "kept_step": 42, "stopped_at": None}
    assert metric_names.format_guard(None) == metric_names.format_guard(guard | {"start": None}) == []
    assert metric_names.format_guard(guard) == ["guard_knn_top1: 0.800 before training, 0.790 at the end"]
    (line,) = metric_names.format_guard(guard | {"latest": 0.5, "stopped_at": 63})
    assert line.startswith("guard_knn_top1: 0.800 before training, 0.500 after step 63, where the guard ended")
    assert line.endswith("the weights are those of step 42")


def test_metrics_by_the_number_of_labels_are_recognized_by_that_of_all() -> None:
    names = ["few_shot_1", "labels_10", "labels_2", "labels_2_ci", "labels_all", "labels_all_ci", "x_all"]
    assert metric_names.parse_label_counts(names) == {"labels": {2: "labels_2", 10: "labels_10"}}


def test_subjects_have_an_order_in_which_further_baselines_precede_the_trained_backbone() -> None:
    assert metric_names.order_subjects(["trained", "b", "starting", "raw_pixels", "a"]) == [
        *("raw_pixels", "starting", "b", "a", "trained")
    ]
    assert [metric_names.title_subject(subject) for subject in ("raw_pixels", "b")] == ["raw pixels", "b"]
    assert metric_names.initial_subject({"starting": {"x": 1.0}, "untrained": {}}) == "starting"
    assert metric_names.initial_subject({"starting": {}, "untrained": {}}) == "untrained"
