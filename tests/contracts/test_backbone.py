"""A backbone may have features of patches, which are compiled with it."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from sslreg.testing.tiny_components import TinyBackbone, TinyPatchBackbone


class Mapping(TinyBackbone):
    """A backbone with a feature map of one position, scaled by a parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = torch.nn.Parameter(torch.tensor(2.0))

    def patches(self, images: Tensor) -> Tensor:
        return images.mean(dim=(2, 3))[:, None, None] * self.factor


def test_a_backbone_without_features_of_patches_is_refused() -> None:
    for refuse in (TinyBackbone().require_patches, lambda: TinyBackbone().patches(torch.ones(1, 3, 4, 4))):
        with pytest.raises(ValueError, match="TinyBackbone has no features of patches; use a Vision Transformer, or"):
            refuse()


def test_backbones_with_features_of_patches_are_accepted() -> None:
    for backbone in (Mapping(), TinyPatchBackbone()):
        backbone.require_patches()


def test_features_of_patches_are_compiled_and_a_copy_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone, compiled = Mapping(), []
    monkeypatch.setattr(torch, "compile", lambda function, **_: compiled.append(function.__name__) or function)
    backbone.compile(backend="eager")
    assert compiled == ["_call_impl", "patches"]
    other = copy.deepcopy(backbone)
    torch.nn.init.constant_(other.factor, 5)
    images = torch.ones(1, 3, 1, 1)
    assert other.patches(images)[0, 0, 0, 0] == 5
    assert backbone.patches(images)[0, 0, 0, 0] == 2
