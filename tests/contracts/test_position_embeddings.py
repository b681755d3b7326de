"""Position embeddings against lightly's, which are MAE's."""

from __future__ import annotations

import pytest
import torch
from lightly.models.utils import get_2d_sincos_pos_embed

import sslreg


def test_a_square_grid_has_the_embeddings_of_mae() -> None:
    expected = torch.from_numpy(get_2d_sincos_pos_embed(24, 5, cls_token=False))
    torch.testing.assert_close(sslreg.sine_cosine_embeddings((5, 5), 24).float(), expected.float())


def test_patches_of_other_grids_have_the_embeddings_of_their_rows_and_columns() -> None:
    square, flat = (sslreg.sine_cosine_embeddings(grid, 8) for grid in ((4, 4), (2, 3)))
    torch.testing.assert_close(flat.unflatten(0, (2, 3)), square.unflatten(0, (4, 4))[:2, :3])


def test_a_width_without_quarters_is_refused() -> None:
    with pytest.raises(ValueError, match="a multiple of 4, but it is 6"):
        sslreg.sine_cosine_embeddings((2, 2), 6)
