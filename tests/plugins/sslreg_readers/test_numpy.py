"""Arrays are read by the axes that the spec states."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

import sslreg
from sslreg_readers.numpy import Numpy

NOISE = np.random.default_rng(0).integers(0, 65536, (5, 12, 16), dtype=np.uint16)


def encode(levels: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, levels)
    return file.getvalue()


def pack(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def read(data: bytes, **parameters: Any) -> Any:
    return Numpy(**parameters).read(sslreg.Source(data)).levels


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, ">u2", np.float32, ">f8"])
def test_each_layout_is_read(dtype: Any) -> None:
    levels = (NOISE / 65535).astype(dtype) if np.dtype(dtype).kind == "f" else (NOISE >> 8).astype(dtype)
    expected = levels.astype(np.float32) if levels.dtype.kind == "f" else levels
    for order in (levels, np.asfortranarray(levels)):
        assert np.array_equal(read(encode(order), layout="CHW"), expected)
        assert np.array_equal(read(encode(order.transpose(1, 2, 0)), layout="HWC"), expected)
        assert np.array_equal(read(encode(order[0])), expected[:1])


def test_axes_that_the_spec_does_not_state_are_refused() -> None:
    for levels, parameters in ((NOISE, {}), (NOISE[0], {"layout": "CHW"}), (NOISE[None], {"layout": "HWC"})):
        with pytest.raises(sslreg.UserError, match=r"its shape is .*, and its layout is") as caught:
            read(encode(levels), **parameters)
        assert "data.readers: [{use: numpy, layout: CHW}]" in str(caught.value)


def test_the_array_of_an_archive_is_chosen_by_its_name() -> None:
    assert np.array_equal(read(pack(image=NOISE[0]))[0], NOISE[0])
    two = pack(image=NOISE[0], mask=NOISE[1])
    assert np.array_equal(read(two, key="mask")[0], NOISE[1])
    for parameters in ({}, {"key": "absent"}):
        with pytest.raises(sslreg.UserError, match="its arrays are image, mask") as caught:
            read(two, **parameters)
        assert "{use: numpy, key: image}" in str(caught.value)


def test_other_types_need_a_range_or_are_refused() -> None:
    with pytest.raises(sslreg.UserError, match="its levels run from 0 to"):
        sslreg.load_image(encode(np.arange(12).reshape(3, 4)))
    for levels in (np.zeros((3, 4), complex), np.full((3, 4), "a"), np.full((3, 4), None)):
        with pytest.raises(sslreg.UserError, match=r"its levels are of type|allow_pickle"):
            sslreg.load_image(encode(levels))


def test_truth_values_are_black_and_white() -> None:
    assert sslreg.load_image(encode(np.eye(3, dtype=bool)))[0].tolist() == (np.eye(3) * 255).tolist()


def test_the_size_is_checked_before_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np.lib.format, "read_array", lambda *args, **options: pytest.fail("it is read"))
    for data in (encode(NOISE[0]), pack(image=NOISE[0])):
        with pytest.raises(sslreg.UserError, match="it has 12 × 16 pixels"):
            Numpy().read(sslreg.Source(data, max_pixels=191))


def test_other_archives_are_left_to_others() -> None:
    assert not Numpy().matches("a.zip", b"PK\x03\x04" + bytes(22) + b"\x05\0\0\0a.txt")
