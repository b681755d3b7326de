"""MAE's decoder against lightly's, with ragged selections and on any grid."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from lightly.models.utils import set_at_index
from torch import nn

import sslreg
from sslreg_models.mae_decoder import MAEDecoder


def decoder() -> MAEDecoder:
    torch.manual_seed(0)
    module = MAEDecoder(features=6, width=16, depth=2, heads=4, pixels=5).double()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    return module


def test_equals_lightlys_modules(copy_to_lightly: Any) -> None:
    ours = decoder()
    theirs = copy_to_lightly(ours, 9)
    prefix, patches = torch.randn(2, 1, 6, dtype=torch.float64), torch.randn(2, 4, 6, dtype=torch.float64)
    keep = torch.tensor([[0, 3, 4, 8], [1, 2, 5, 7]])
    mask = torch.ones(2, 9, dtype=torch.bool).scatter(1, keep, False)
    everything = set_at_index(torch.zeros(2, 9, 16, dtype=torch.float64), keep, ours.embedding(patches))
    tokens = torch.cat([ours.embedding(prefix), everything], dim=1)
    expected = ours.projection(theirs(tokens, mask=nn.functional.pad(mask, (1, 0))))[:, 1:]
    torch.testing.assert_close(ours(prefix, patches, keep, (3, 3)), expected, rtol=1e-6, atol=1e-6)


def test_tokens_that_fill_up_rows_do_not_matter() -> None:
    module = decoder()
    prefix, patches = torch.randn(2, 1, 6).double(), torch.randn(2, 3, 6).double()
    context = torch.tensor([[True, False, True, False, True, False], [False, True, False, False, False, False]])
    keep = sslreg.patch_indices(context)
    assert keep.tolist() == [[0, 2, 4], [1, -1, -1]]
    prediction = module(prefix, patches, keep, (2, 3))
    torch.testing.assert_close(prediction[1:], module(prefix[1:], patches[1:, :1], keep[1:, :1], (2, 3)))
    changed = patches.clone()
    changed[1, 1:] = 7
    assert torch.equal(module(prefix, changed, keep, (2, 3)), prediction)


@pytest.mark.parametrize("prefix_tokens", [0, 1, 5])
def test_it_predicts_all_patches_for_any_grid_and_number_of_prefix_tokens(prefix_tokens: int) -> None:
    module = decoder()
    prefix, patches = torch.randn(2, prefix_tokens, 6).double(), torch.randn(2, 2, 6).double()
    for grid in ((2, 5), (4, 1)):
        assert module(prefix, patches, torch.tensor([[0, 1], [2, 3]]), grid).shape == (2, grid[0] * grid[1], 5)


def test_blocks_start_with_different_weights_and_biases_at_zero() -> None:
    torch.manual_seed(0)
    module = MAEDecoder(features=6, width=16, depth=2, heads=4, pixels=5)
    first, second = (block.linear1.weight for block in module.blocks)
    assert not torch.equal(first, second)
    assert all(not one.any() for name, one in module.named_parameters() if name.endswith("bias"))
