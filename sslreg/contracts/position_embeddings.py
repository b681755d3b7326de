"""Fixed position embeddings of patches, for encoders, decoders and predictors."""

from __future__ import annotations

import torch
from torch import Tensor


def sine_cosine_embeddings(grid: tuple[int, int], width: int) -> Tensor:
    """Return the embeddings (L, width) of a grid's patches, row by row, in float64 (MAE, arXiv 2111.06377).

    The first half of the width encodes the column c and the second half the row, each as sin(c w) for all frequencies w
    and then cos(c w). The frequencies are 10000^(-4 i / width) for i = 0, …, width / 4 - 1.

    Args:
        grid: the numbers of rows and columns, from `PatchBackbone.grid`.
        width: a multiple of 4.

    Raises:
        ValueError: the width is not a multiple of 4.
    """
    if width % 4:
        raise ValueError(f"position embeddings have a width that is a multiple of 4, but it is {width}")
    rows, columns = grid
    frequencies = 10000.0 ** (-4 / width * torch.arange(width // 4, dtype=torch.float64))
    patches = torch.arange(rows * columns).unsqueeze(1)
    angles = [place * frequencies for place in (patches % columns, patches // columns)]
    return torch.cat([function(angle) for angle in angles for function in (torch.sin, torch.cos)], dim=1)
