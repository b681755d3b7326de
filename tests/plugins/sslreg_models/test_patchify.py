"""The pixels of patches against lightly's."""

from __future__ import annotations

import torch
from lightly.models.utils import patchify as lightly_patchify

from sslreg_models.patchify import patchify


def test_equals_lightly() -> None:
    images = torch.rand(2, 3, 12, 12)
    assert torch.equal(patchify(images, 4), lightly_patchify(images, 4))


def test_patches_of_an_image_that_is_not_square_are_numbered_row_by_row() -> None:
    images = torch.arange(2 * 6).float().view(1, 1, 2, 6)
    assert patchify(images, 2).tolist() == [[[0, 1, 6, 7], [2, 3, 8, 9], [4, 5, 10, 11]]]
