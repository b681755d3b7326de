"""The facts of one image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import sslreg
from sslreg_data.image_facts import ImageFacts, Unreadable, examine

COLOR = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
READERS = sslreg.Readers()


def facts_of(image: object, channels: int | None = None) -> ImageFacts:
    facts = examine("sample", image, READERS, channels)  # type: ignore[arg-type]
    assert isinstance(facts, ImageFacts)
    return facts


def test_a_color_image_as_a_file(tmp_path: Path) -> None:
    path = tmp_path / "photo.PNG"
    Image.fromarray(COLOR).save(path)
    facts = facts_of(path)
    assert (facts.kind, facts.size, facts.channels, facts.depth) == (".png", (6, 9), 3, "uint8")
    assert (facts.is_gray, facts.has_alpha, facts.is_transparent) == (False, False, False)
    assert facts.highest == COLOR.max()
    assert np.allclose(facts.mean, COLOR.reshape(-1, 3).mean(axis=0) / 255)
    assert np.allclose(facts.square, np.square(COLOR.reshape(-1, 3) / 255).mean(axis=0))


def test_gray_levels_in_three_channels_are_gray() -> None:
    assert facts_of(Image.fromarray(COLOR[..., :1].repeat(3, axis=2))).is_gray
    assert not facts_of(Image.fromarray(COLOR)).is_gray


@pytest.mark.parametrize(("alpha", "is_transparent"), [(255, False), (254, True)])
def test_opacity_is_no_channel(alpha: int, is_transparent: bool) -> None:
    image = Image.fromarray(COLOR)
    image.putalpha(alpha)
    facts = facts_of(image)
    assert (facts.channels, facts.has_alpha, facts.is_transparent) == (3, True, is_transparent)


def test_a_gray_image_seen_as_color_keeps_its_own_channels() -> None:
    facts = facts_of(Image.fromarray(COLOR[..., 0]), channels=3)
    assert facts.channels == 1
    assert len(facts.mean) == 3


@pytest.mark.parametrize("dtype", [torch.uint16, torch.float32])
def test_arrays_of_more_bits(dtype: torch.dtype) -> None:
    scale = 4000 if dtype == torch.uint16 else 1
    pixels = (torch.rand(5, 4, 7) * scale).to(dtype)
    facts = facts_of(pixels)
    assert (facts.kind, facts.size, facts.channels) == ("Tensor", (4, 7), 5)
    assert facts.depth == str(dtype).removeprefix("torch.")
    assert facts.highest == float(pixels.numpy().max())


def test_equal_levels_of_other_shapes_differ() -> None:
    zeros = np.zeros((1, 4, 6), np.uint8)
    assert facts_of(zeros).digest == facts_of(zeros.copy()).digest
    assert facts_of(zeros).digest != facts_of(zeros.reshape(1, 6, 4)).digest
    assert facts_of(zeros).digest != facts_of(zeros.reshape(1, 3, 4, 2).astype(np.uint16)[..., 0]).digest


@pytest.mark.parametrize(
    ("image", "channels", "reason"),
    [
        (b"no image", None, "no installed reader"),
        (np.zeros((8, 8, 3), np.uint8), None, "looks like (H, W, C)"),
        (np.zeros((4, 8, 8), np.uint8), 3, "4 channels"),
        (sslreg.UserError("the shard is broken"), None, "the shard is broken"),
    ],
)
def test_an_image_that_a_run_cannot_read(image: object, channels: int | None, reason: str) -> None:
    facts = examine("sample", image, READERS, channels)  # type: ignore[arg-type]
    assert isinstance(facts, Unreadable)
    assert facts.name == "sample"
    assert reason in facts.reason
