"""A backbone of patches divides images into a grid."""

from __future__ import annotations

import pytest
import torch

import sslreg


class Patches(sslreg.PatchBackbone):
    patch_size = 14


def test_the_grid_has_rows_and_columns_of_patches() -> None:
    assert Patches().grid(torch.empty(1, 3, 28, 42)) == (2, 3)


def test_other_sizes_are_refused_with_the_next_larger_one() -> None:
    with pytest.raises(ValueError, match=r"images of 32x32 pixels do not divide .* of 14, such as 42"):
        Patches().grid(torch.empty(1, 3, 32, 32))
