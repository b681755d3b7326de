"""The text of a suggested spec."""

from __future__ import annotations

from pathlib import Path

import pytest

import sslreg
from sslreg_data.suggested_spec import compose_spec, format_spec
from sslreg_data.suggestion import Suggestion

RECIPES = ["folder-simclr", "medical-simclr", "satellite-simclr", "sprites-simclr"]


def load(suggestion: Suggestion, tmp_path: Path, data: dict[str, object] | None = None) -> sslreg.Spec:
    levels = {"mean": [0.5] * suggestion.channels, "std": [0.25] * suggestion.channels}
    train = {"use": "image_folder", "root": "images"}
    path = tmp_path / "mine.yaml"
    path.write_text(
        format_spec(compose_spec(suggestion, "mine", {"train": train, **(data or {})}, levels), ["a remark"])
    )
    assert path.read_text().startswith("# a remark\n")
    return sslreg.load_spec(path)


def operations(spec: sslreg.Spec) -> dict[str, dict[str, object]]:
    return {step["use"]: step for step in spec.to_dict()["views"][0]["augment"]}


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("size", [32, 96])
def test_every_suggestion_is_a_valid_spec(recipe: str, channels: int, size: int, tmp_path: Path) -> None:
    spec = load(Suggestion(recipe, channels, size), tmp_path)
    sslreg.build_collate(spec)
    steps = operations(spec)
    assert steps["random_resized_crop"]["size"] == size
    assert steps["normalize"]["mean"] == [0.5] * channels
    assert spec.data.channels == channels
    assert ("grayscale" in steps) == (recipe == "folder-simclr" and channels == 3)
    assert "hue" not in steps.get("color_jitter", {}) or channels == 3


def test_small_images_get_a_backbone_for_small_images_and_no_blur(tmp_path: Path) -> None:
    small, large = (load(Suggestion("folder-simclr", 3, size), tmp_path) for size in (32, 64))
    assert small.to_dict()["model"]["backbone"] == {"use": "resnet18", "stem": "small"}
    assert large.to_dict()["model"]["backbone"] == {"use": "resnet18"}
    assert "gaussian_blur" in operations(large)
    assert "gaussian_blur" not in operations(small)


def test_evaluators_need_a_test_set(tmp_path: Path) -> None:
    suggestion = Suggestion("folder-simclr", 3, 64)
    assert load(suggestion, tmp_path).to_dict().get("evaluate") is None
    divided = load(suggestion, tmp_path, {"split": {"test": 0.2}}).to_dict()
    assert [entry["use"] for entry in divided["evaluate"]] == ["knn", "linear"]
    assert divided["data"]["split"] == {"test": 0.2}
