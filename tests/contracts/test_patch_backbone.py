"""A backbone of patches divides images into a grid."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import sslreg


class Patches(sslreg.PatchBackbone):
    """A backbone whose tokens are the means of patches, and a class token of zeros."""

    patch_size = 14
    token_features = 3
    has_class_token = True

    def tokens(self, images: Tensor, **others: Any) -> tuple[Tensor, Tensor]:
        means = nn.functional.avg_pool2d(images, self.patch_size).flatten(2).mT
        return torch.zeros(len(images), 1, self.token_features), means


def test_the_grid_has_rows_and_columns_of_patches() -> None:
    assert Patches().grid(torch.empty(1, 3, 28, 42)) == (2, 3)


def test_other_sizes_are_refused_with_the_next_larger_one() -> None:
    with pytest.raises(ValueError, match=r"images of 32x32 pixels do not divide .* of 14, such as 42"):
        Patches().grid(torch.empty(1, 3, 32, 32))


def test_patches_lie_where_the_image_has_them() -> None:
    images = torch.zeros(1, 3, 28, 42)
    images[:, :, :14, 28:] = 1
    assert Patches().patches(images)[0, :, :, 0].tolist() == [[0, 0, 1], [0, 0, 0]]


class Doubling(sslreg.PatchBackbone):
    def __init__(self) -> None:
        super().__init__()
        self.factor = torch.nn.Parameter(torch.tensor(2.0))

    def tokens(self, images: Tensor, *, keep: Tensor | None = None, **_: Tensor | None) -> tuple[Tensor, Tensor]:
        return images * 0, images * self.factor


def test_tokens_are_compiled_with_the_module_and_a_copy_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone, compiled = Doubling(), []
    monkeypatch.setattr(torch, "compile", lambda function, **_: compiled.append(function.__name__) or function)
    backbone.compile(backend="eager")
    assert compiled == ["_call_impl", "tokens"]
    other = copy.deepcopy(backbone)
    torch.nn.init.constant_(other.factor, 5)
    assert other.tokens(torch.ones(1))[1] == 5
    assert backbone.tokens(torch.ones(1))[1] == 2
