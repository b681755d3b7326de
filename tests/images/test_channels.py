"""Transparent pixels in front of a background, or with their opacity as a channel."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

import sslreg
from sslreg.images import Readers, TransparentImage, open_image

GRAY, RED = (0.5, 0.5, 0.5), (1.0, 0.0, 0.0)
RGBA = Image.new("RGBA", (2, 2), (200, 100, 50, 102))


def load(image: Any, channels: int | None, background: Any) -> list[float]:
    pixels = sslreg.load_image(image, channels, Readers(background=background))
    return pixels[:, 0, 0].tolist()


def jpeg(mode: str) -> bytes:
    file = io.BytesIO()
    Image.new(mode, (16, 16), (200,) * len(mode)).save(file, "JPEG")
    return file.getvalue()


def test_transparent_pixels_are_laid_over_the_background() -> None:
    assert load(RGBA, 3, (0.0, 0.0, 0.0)) == [80, 40, 20]
    assert load(RGBA, 3, (1.0, 1.0, 1.0)) == load(RGBA, 3, None) == [233, 193, 173]
    assert load(RGBA, 3, RED) == [233, 40, 20]


def test_gray_over_a_color_becomes_color() -> None:
    gray = Image.new("LA", (2, 2), (100, 102))
    assert load(gray, 3, RED) == [193, 40, 40]
    assert load(gray, 1, (0.0, 0.0, 0.0)) == [40]
    assert load(gray, 1, RED) == [pytest.approx(193 * 0.2989 + 40 * 0.7011, abs=1)]


def test_opaque_images_are_the_same_in_front_of_any_background() -> None:
    for background in (None, GRAY, RED, "random"):
        assert load(Image.new("RGB", (2, 2), (1, 2, 3)), 3, background) == [1, 2, 3]
        assert load(jpeg("RGB"), 3, background) == [200, 200, 200]


@pytest.mark.parametrize(
    ("image", "channels", "expected"),
    [
        (RGBA, 4, [200, 100, 50, 102]),
        (Image.new("RGB", (2, 2), (1, 2, 3)), 4, [1, 2, 3, 255]),
        (Image.new("L", (2, 2), 7), 4, [7, 7, 7, 255]),
        (Image.new("LA", (2, 2), (7, 9)), 4, [7, 7, 7, 9]),
        (Image.new("LA", (2, 2), (7, 9)), 2, [7, 9]),
        (Image.new("L", (2, 2), 7), 2, [7, 255]),
        (np.full((3, 2, 2), 0.25, np.float32), 4, [0.25, 0.25, 0.25, 1]),
        (jpeg("RGB"), 4, [200, 200, 200, 255]),
        (jpeg("L"), 2, [200, 255]),
    ],
)
def test_a_kept_opacity_is_the_last_channel_of_every_image(image: Any, channels: int, expected: list[float]) -> None:
    assert load(image, channels, "keep") == expected


def test_an_image_with_an_opacity_is_not_taken_for_one_of_four_bands() -> None:
    with pytest.raises(sslreg.UserError, match="it has 3 channels, and 4 are wanted"):
        load(RGBA, 4, GRAY)


def test_bands_cannot_be_laid_over_a_color() -> None:
    from sslreg.images.channels import lay_over

    bands = sslreg.load_image(np.zeros((6, 8, 8), np.uint8))
    assert lay_over(bands, GRAY)[:, 0, 0].tolist() == [128] * 5
    with pytest.raises(sslreg.UserError, match="it has 5 channels, which cannot be laid over a color"):
        lay_over(bands, RED)


def test_a_random_background_is_chosen_later_and_white_elsewhere() -> None:
    image = open_image(RGBA, 3, Readers(background="random"))
    assert isinstance(image, TransparentImage)
    assert image.shape == (3, 2, 2)
    assert image.decode(RED)[:, 0, 0].tolist() == [233, 40, 20]
    assert load(RGBA, 3, "random") == [233, 193, 173]
