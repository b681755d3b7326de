"""The scales of the augmentations at their ends."""

from __future__ import annotations

import pytest
import torch

import sslreg
from sslreg.registry import installed
from sslreg_augmentations.affine import Affine
from sslreg_augmentations.color_jitter import ColorJitter
from sslreg_augmentations.elastic import Elastic
from sslreg_augmentations.grayscale import Grayscale
from sslreg_augmentations.random_resized_crop import RandomResizedCrop
from sslreg_augmentations.rotate90 import Rotate90
from sslreg_augmentations.solarize import Solarize

RGB = (3, 32, 32)


def test_every_augmentation_that_draws_a_magnitude_has_a_scale() -> None:
    measured = [
        info for info in installed().of_kind("augmentation") if info.distribution == "sslreg" and info.invariances
    ]
    without = {info.name for info in measured if not isinstance(info.load(), sslreg.SupportsStrength)}
    assert without == {"horizontal_flip", "vertical_flip", "rotate90", "grayscale"}


def test_angles_rise_to_half_a_turn(keys, shapes) -> None:
    full, quarter = (Affine(**Affine.at_strength({"rotation": strength}, RGB)) for strength in (1.0, 0.25))
    angles = full.draw(keys(2000), shapes(2000))["angle"]
    assert angles.abs().max() > 179
    torch.testing.assert_close(quarter.draw(keys(2000), shapes(2000))["angle"], angles / 4)


def test_crops_at_full_strength_are_the_default() -> None:
    crop = RandomResizedCrop(**RandomResizedCrop.at_strength({"": 1.0}, RGB))
    default = RandomResizedCrop(32)
    assert crop.scale == pytest.approx(default.scale)
    assert crop.ratio == pytest.approx(default.ratio)
    assert crop.size == default.size


def test_hue_and_saturation_are_of_rgb_alone() -> None:
    assert ColorJitter.aspects(RGB) == ("brightness", "contrast", "saturation", "hue")
    assert Grayscale.aspects(RGB) == [""]
    for channels in (1, 5):
        assert ColorJitter.aspects((channels, 8, 8)) == ("brightness", "contrast")
        assert Grayscale.aspects((channels, 8, 8)) == []


def test_full_solarization_is_the_negative(images) -> None:
    solarize = Solarize(**Solarize.at_strength({"": 1.0}, RGB))
    torch.testing.assert_close(solarize.apply(images, {}), 1.0 - images)


def test_elastic_moves_pixels_as_far_as_it_says() -> None:
    elastic = Elastic(**Elastic.at_strength({"": 1.0}, (3, 48, 60)))
    noise = 2.0 * torch.rand(400, 2, 48, 60, generator=torch.Generator().manual_seed(0)) - 1.0
    # Away from the borders, where the reflected noise is correlated.
    inner = elastic._displacement(noise, 0)[:, 16:-16, 16:-16]
    assert inner.square().mean().sqrt().item() == pytest.approx(48 / 24, rel=0.05)


def test_quarter_turns_are_of_squares_alone() -> None:
    assert Rotate90.aspects(RGB) == [""]
    assert Rotate90.aspects((3, 32, 40)) == []


def test_aspects_are_combined_in_one_affine_map() -> None:
    assert Affine.at_strength({}, RGB) == {"degrees": 0.0, "interpolation": "bilinear"}
    assert Affine.at_strength({"rotation": 0.5, "scale": 1.0, "translation": 0.1}, RGB) == {
        "degrees": 90.0,
        "translate": [0.05, 0.05],
        "scale": [0.5, 2.0],
        "interpolation": "bilinear",
    }
