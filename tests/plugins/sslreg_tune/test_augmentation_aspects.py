"""Aspects of an augmentation in a spec."""

from __future__ import annotations

from typing import Any

import pytest

import sslreg
from sslreg_tune.augmentation_aspects import AugmentationAspects, Shape

GRAY, RGB = (1, 16, 16), (3, 32, 32)


def of(name: str) -> AugmentationAspects:
    return AugmentationAspects(sslreg.installed().get("augmentation", name), name)


@pytest.mark.parametrize(
    ("name", "shape", "aspects"),
    [
        ("elastic", GRAY, [""]),
        ("horizontal_flip", GRAY, [""]),
        ("color_jitter", GRAY, ["brightness", "contrast"]),
        ("color_jitter", RGB, ["brightness", "contrast", "saturation", "hue"]),
        ("grayscale", GRAY, []),
        ("grayscale", RGB, [""]),
        ("rotate90", (1, 16, 20), []),
    ],
)
def test_aspects_fit_the_images(name: str, shape: Shape, aspects: list[str]) -> None:
    assert of(name).aspects(shape) == aspects


@pytest.mark.parametrize(
    ("name", "params", "effective"),
    [
        ("affine", {"degrees": 15}, ["rotation"]),
        ("affine", {"degrees": 0, "translate": (0.0, 0.0), "scale": (1, 1), "shear": 5}, ["shear"]),
        ("affine", {"degrees": [0.0, 0.0], "scale": [0.9, 1.0], "interpolation": "nearest"}, ["scale"]),
        ("affine", {"degrees": 0}, []),
        ("color_jitter", {"brightness": [1.0, 1.0], "hue": 0.1}, ["hue"]),
        ("color_jitter", {"contrast": 0}, []),
        ("gaussian_blur", {"sigma": [0.1, 2.0]}, [""]),
    ],
)
def test_aspects_are_written_if_they_have_an_effect(name: str, params: dict[str, Any], effective: list[str]) -> None:
    assert of(name).find_effective(params, RGB) == effective


def test_aspects_are_changed_in_one_entry_that_keeps_its_other_keys() -> None:
    entry = {"use": "affine", "p": 0.8, "degrees": 15, "translate": [0.1, 0.1], "shear": 5, "interpolation": "nearest"}
    changed = of("affine").change(entry, ["rotation", "shear"], {"scale": 1.0}, GRAY)
    assert changed == {
        "use": "affine",
        "p": 0.8,
        "degrees": 0.0,
        "translate": [0.1, 0.1],
        "interpolation": "nearest",
        "scale": [0.5, 2.0],
    }
    jitter = {"use": "color_jitter", "brightness": 0.4, "hue": 0.1}
    assert of("color_jitter").change(jitter, ["hue"], {}, RGB) == {"use": "color_jitter", "brightness": 0.4}
    assert of("color_jitter").change(jitter, [], {}, RGB) == jitter


def test_a_strength_replaces_all_arguments_that_define_it() -> None:
    entry = {"use": "elastic", "alpha": 20, "sigma": 3, "fill": 0.5}
    changed = of("elastic").change(entry, [], {"": 0.5}, GRAY)
    assert changed == {"use": "elastic", "alpha": pytest.approx(5.46, abs=0.01), "sigma": 1.333, "fill": 0.5}


def test_a_strength_keeps_the_size_of_a_crop() -> None:
    entry = {"use": "random_resized_crop", "size": 8, "scale": [0.2, 1.0]}
    changed = of("random_resized_crop").change(entry, [], {"": 0.5}, RGB)
    assert changed == {"use": "random_resized_crop", "size": 8, "scale": [0.54, 1.0], "ratio": [0.866, 1.155]}


@pytest.mark.parametrize(
    ("name", "strengths", "entry"),
    [
        ("color_jitter", {"hue": 0.2, "contrast": 0.4}, {"use": "color_jitter", "hue": 0.1, "contrast": 0.4}),
        ("gaussian_noise", {"": 0.25}, {"use": "gaussian_noise", "std": 0.1}),
        ("rotate90", {}, {"use": "rotate90"}),
        # All views would be mirrored, or inverted, without a probability.
        ("horizontal_flip", {}, {"use": "horizontal_flip", "p": 0.5}),
        ("solarize", {"": 0.4}, {"use": "solarize", "p": 0.5, "threshold": 0.6}),
    ],
)
def test_new_entries_have_a_strength_or_defaults(name: str, strengths: dict[str, float], entry: dict[str, Any]) -> None:
    assert of(name).create(strengths, RGB) == entry
