"""Masks become the numbers of patches."""

from __future__ import annotations

import torch

import sslreg


def test_patch_indices_ascend_and_are_filled_up() -> None:
    selected = torch.tensor([[True, False, True, True], [False, False, False, True]])
    assert sslreg.patch_indices(selected).tolist() == [[0, 2, 3], [3, -1, -1]]


def test_no_selected_patch_gives_no_column() -> None:
    assert sslreg.patch_indices(torch.zeros(2, 4, dtype=torch.bool)).shape == (2, 0)
