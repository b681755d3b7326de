"""The range of levels is the type's, the reader's or the spec's, in this order."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import sslreg
from sslreg.images import Readers
from sslreg.images.levels import normalize_levels

STATED = Readers(range=(-1000.0, 3000.0))


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.int64, np.uint16, np.float32, np.float64, ">i2", ">u4"])
def test_a_stated_range_scales_and_clips_any_type(dtype: object) -> None:
    signed = np.dtype(dtype).kind != "u"
    levels = np.array([[[-2000 if signed else 0, 0, 1000, 3000, 9000]]]).astype(dtype)
    image = sslreg.load_image(levels, readers=STATED)
    assert image.dtype == torch.float32
    assert image[0, 0].tolist() == [0 if signed else 0.25, 0.25, 0.5, 1, 1]


def test_large_integers_are_scaled_exactly() -> None:
    levels = np.array([[[2**31 - 5, 2**31 - 3, 2**31 - 1]]])
    readers = Readers(range=(2**31 - 5, 2**31 - 1))
    assert sslreg.load_image(levels, readers=readers)[0, 0].tolist() == [0, 0.5, 1]


def test_a_level_that_is_no_number_is_black_in_a_stated_range_and_an_error_without() -> None:
    levels = np.array([[[np.nan, 1000.0]]])
    assert sslreg.load_image(levels, readers=STATED)[0, 0].tolist() == [0, 0.5]
    with pytest.raises(sslreg.UserError, match="its levels run from nan to nan"):
        sslreg.load_image(levels)


def test_levels_outside_of_a_range_that_nobody_stated_are_not_clipped() -> None:
    for levels in (np.array([[[0.0, 2.0]]]), np.array([[[-1, 2]]], np.int16)):
        with pytest.raises(sslreg.UserError, match=r"its levels") as caught:
            sslreg.load_image(levels)
        assert "data.range: [low, high]" in str(caught.value)


def test_a_stated_range_replaces_the_one_of_the_reader() -> None:
    levels = torch.tensor([[[0, 2048, 4095]]], dtype=torch.uint16)
    assert torch.equal(normalize_levels(levels, (0, 4095)), levels.float() / 4095)
    assert normalize_levels(levels, (0, 4095), (0, 1024))[0, 0].tolist() == [0, 1, 1]


def test_an_inverted_image_stays_inverted_in_a_stated_range() -> None:
    levels = torch.tensor([[[0, 512, 4095]]], dtype=torch.uint16)
    assert normalize_levels(levels, (4095, 0), (0, 1024))[0, 0].tolist() == [1, 0.5, 0]


def test_eight_bits_stay_eight_bits_if_the_range_is_all_of_them() -> None:
    levels = torch.tensor([[[0, 7, 255]]], dtype=torch.uint8)
    assert torch.equal(normalize_levels(levels, None, (0, 255)), levels)
    assert torch.equal(normalize_levels(levels, (255, 0), (0, 255)), 255 - levels)
    assert normalize_levels(levels, None, (0, 51))[0, 0].tolist() == pytest.approx([0, 7 / 51, 1])


def test_the_opacity_keeps_the_range_of_its_type() -> None:
    levels = np.array([[[100]], [[32768]]], np.uint16)
    pixels = sslreg.Pixels(levels, alpha=True)
    from sslreg.images.convert import convert_pixels

    image = convert_pixels(pixels, None, range=(0, 200), background="keep")
    assert image.flatten().tolist() == pytest.approx([0.5, 32768 / 65535])
