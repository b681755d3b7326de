"""The recipe that suits a data set."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import sslreg
from sslreg_data.suggestion import Suggestion, suggest
from sslreg_data.survey import survey_images

LEVELS = np.random.default_rng(0).integers(0, 256, (4, 40, 40), dtype=np.uint8)


def suggestion_for(*images: object) -> Suggestion:
    samples = sslreg.SampleDataset([(image, None) for image in images])
    suggestion = suggest(survey_images(samples, range(len(images)), sslreg.Readers()))
    assert suggestion is not None
    return suggestion


def transparent() -> Image.Image:
    image = Image.fromarray(LEVELS[:3].transpose(1, 2, 0))
    image.putalpha(Image.fromarray(LEVELS[3]))
    return image


@pytest.mark.parametrize(
    ("image", "recipe", "channels"),
    [
        (LEVELS[:3], "folder-simclr", 3),
        (LEVELS[:1], "medical-simclr", 1),
        (LEVELS[:1].repeat(3, axis=0), "medical-simclr", 1),
        (LEVELS, "satellite-simclr", 4),
        (transparent(), "sprites-simclr", 3),
    ],
)
def test_the_recipe_follows_the_channels(image: object, recipe: str, channels: int) -> None:
    suggestion = suggestion_for(image)
    assert (suggestion.recipe, suggestion.channels) == (recipe, channels)


@pytest.mark.parametrize(("side", "size"), [(8, 16), (28, 32), (50, 64), (96, 96), (150, 128), (500, 224)])
def test_views_are_no_larger_than_images_need(side: int, size: int) -> None:
    assert suggestion_for(np.zeros((3, side, side + 10), np.uint8)).size == size


@pytest.mark.parametrize(("highest", "full_scale"), [(3900, 4095), (900, 1023), (200, None), (60_000, None)])
def test_levels_of_fewer_bits_than_16_get_their_full_scale(highest: int, full_scale: int | None) -> None:
    pixels = np.zeros((1, 30, 30), np.uint16)
    pixels[0, 3, 3] = highest
    suggestion = suggestion_for(pixels)
    assert suggestion.data.get("range") == (None if full_scale is None else [0, full_scale])
    assert any("data.range" in line for line in suggestion.advice) == (full_scale is not None)


def test_unreadable_images_are_skipped() -> None:
    assert suggestion_for(LEVELS[:3], b"broken").data["on_error"] == "skip"
    assert "on_error" not in suggestion_for(LEVELS[:3]).data


def test_advice_names_each_invariance() -> None:
    advice = suggestion_for(LEVELS[:3]).advice
    assert [line.split(":")[0] for line in advice] == ["Color", "Shape", "Texture"]
    assert any("long" in line for line in suggestion_for(np.zeros((3, 40, 100), np.uint8)).advice)
    assert any("33%" in line for line in suggestion_for(transparent(), LEVELS[:3], LEVELS[:3]).advice)


def test_nothing_is_suggested_without_images() -> None:
    samples = sslreg.SampleDataset([(b"broken", None)])
    assert suggest(survey_images(samples, [0], sslreg.Readers())) is None
