"""Names of figures, and how figures are written."""

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


def test_a_figure_is_written_with_its_interval_where_there_is_one() -> None:
    assert metric_names.written_of({"top1": 0.9641, "top1_ci": 0.0079}, "top1") == "0.964 ± 0.008"
    assert metric_names.written_of({"top1": 0.9641}, "top1") == "0.964"
    assert metric_names.written_of({}, "top1") == ""


def test_one_is_singular() -> None:
    assert [metric_names.counted(number, "image") for number in (0, 1, 2000)] == ["0 images", "1 image", "2,000 images"]


def test_an_interval_without_its_figure_stands_for_itself() -> None:
    assert metric_names.without_intervals(["top1", "top1_ci", "odd_ci"]) == ["top1", "odd_ci"]


def test_strengths_go_where_their_mean_is_there() -> None:
    kept = metric_names.without_strengths(metric_names.without_intervals(PROFILE))
    assert kept == ["affine_rotation", "affine_rotation_readback", "shape", "top_s9"]


def test_a_profile_moves_augmentations_and_groups() -> None:
    assert metric_names.moves(PROFILE) == ["affine_rotation", "shape"]


def test_strengths_are_in_the_order_of_numbers() -> None:
    assert list(metric_names.at_strengths(PROFILE, "affine_rotation").items()) == [(25, 0.1), (100, 0.9)]
    assert metric_names.at_strengths(PROFILE, "affine") == {}


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
