"""Segmentation masks as targets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from sslreg import UserError
from sslreg.contracts import as_sample, is_segmentation_mask, load_segmentation_mask


@pytest.mark.parametrize(
    ("mask", "dtype"),
    [
        (torch.tensor([[1, 255]], dtype=torch.uint8), torch.uint8),
        (np.array([[1, 300]], dtype=np.uint16), torch.int64),
        (np.array([[1, 2]], dtype=">i4"), torch.int64),
        (np.array([[True, False]]), torch.int64),
        (lambda: np.array([[7]], dtype=np.uint8), torch.uint8),
    ],
)
def test_masks_are_read_as_uint8_or_int64(mask: Any, dtype: torch.dtype) -> None:
    values = mask() if callable(mask) else mask
    loaded = load_segmentation_mask(mask)
    assert loaded.dtype == dtype
    assert loaded.tolist() == values.tolist()


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (lambda: torch.zeros(3, 2, 2), r"of shape \(3, 2, 2\)"),
        (lambda: "mask.png", "a str"),
        (torch.zeros(2, 2), "torch.float32"),
        (np.array([[-1]]), "the value -1"),
    ],
)
def test_what_is_no_mask_of_class_numbers_is_refused(mask: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_segmentation_mask(mask)


def test_an_item_may_have_a_mask_as_target_which_is_not_read() -> None:
    def read() -> torch.Tensor:
        raise AssertionError("nobody asked for the mask")

    assert as_sample((torch.zeros(1, 2, 2), read)).target is read
    array = np.zeros((2, 2), dtype=np.uint8)
    assert as_sample((torch.zeros(1, 2, 2), array)).target is array
    assert is_segmentation_mask(array)
    assert not is_segmentation_mask(np.array(3))


def test_an_array_of_other_dimensions_is_no_target() -> None:
    with pytest.raises(UserError, match="neither a class number nor a mask"):
        as_sample((torch.zeros(1, 2, 2), np.zeros((1, 2, 2))))
