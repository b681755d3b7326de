"""The kit notices backbones of patches that break the contract."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sslreg.registry import installed
from sslreg.testing import conformance, temporary_components
from sslreg.testing.case import Case
from sslreg.testing.checks import CHECKS
from sslreg.testing.tiny_components import TinyPatchBackbone
from sslreg_backbones.vit import ViT


class Small(ViT):
    """A Vision Transformer for quick tests."""

    def __init__(self) -> None:
        super().__init__(3, 8, patch_size=2, width=8, depth=1, heads=2)


class Rounding(Small):
    """Ignores a part of a patch at the edge."""

    def grid(self, images: Tensor) -> tuple[int, int]:
        return images.shape[2] // self.patch_size, images.shape[3] // self.patch_size


class Discarding(Small):
    """Encodes all patches and then drops some."""

    def tokens(self, images: Tensor, *, keep: Tensor | None = None, **options: Any) -> tuple[Tensor, Tensor]:
        prefix, patches = super().tokens(images, **options)
        return prefix, patches if keep is None else torch.stack(
            [one[row] for one, row in zip(patches, keep, strict=True)]
        )


class Renumbering(Small):
    """Numbers the kept patches anew: makes an image of them."""

    def tokens(self, images: Tensor, *, keep: Tensor | None = None, **options: Any) -> tuple[Tensor, Tensor]:
        if keep is None:
            return super().tokens(images, **options)
        columns = torch.nn.functional.unfold(images, self.patch_size, stride=self.patch_size)
        kept = columns.gather(2, keep.unsqueeze(1).expand(-1, columns.shape[1], -1))
        size = (self.patch_size, self.patch_size * keep.shape[1])
        return super().tokens(torch.nn.functional.fold(kept, size, self.patch_size, stride=self.patch_size), **options)


class AttendingToPadding(Small):
    """Takes padding for the first patch."""

    def tokens(self, images: Tensor, *, keep: Tensor | None = None, **options: Any) -> tuple[Tensor, Tensor]:
        return super().tokens(images, keep=keep if keep is None else keep.clamp(min=0), **options)


class PoolingInForward(Small):
    """Takes the mean of patches for its features in `forward` alone."""

    def forward(self, images: Tensor) -> Tensor:
        return self.tokens(images)[1].mean(dim=1)


class Unmasking(Small):
    """Ignores the mask."""

    def tokens(self, images: Tensor, *, keep: Tensor | None = None, **_: Any) -> tuple[Tensor, Tensor]:
        return super().tokens(images, keep=keep)


class Overattentive(Small):
    """Sums the attention of its heads."""

    def class_attention(self, images: Tensor) -> Tensor:
        return 9 * super().class_attention(images)


class WithoutEmbeddings(Small):
    """Lists the parameters of its blocks only."""

    def parameters_by_depth(self) -> list[list[nn.Parameter]]:
        return super().parameters_by_depth()[1:]


FAULTS = [
    (PoolingInForward, "pools_its_tokens", "features differ from pool_tokens of tokens"),
    (Rounding, "refuses_a_part_of_a_patch", "images of 5x4 pixels are encoded"),
    (Discarding, "drops_patches", "dropped patches change the tokens of others"),
    (Renumbering, "keeps_the_positions_of_patches", "lost their positions"),
    (AttendingToPadding, "ignores_padding", r"tokens attend to padding \(-1\)"),
    (Unmasking, "replaces_masked_patches", r"no gradient \(None\) under an empty mask"),
    (Overattentive, "tells_the_attention_of_the_class_token", "sums to more than 1"),
    (WithoutEmbeddings, "lists_parameters_by_depth", r"parameters_by_depth lacks body\.class_token"),
]


def run(backbone: type[ViT], check: str) -> None:
    with temporary_components(backbone={"tested": backbone}):
        CHECKS["backbone"][check](Case(installed().get("backbone", "tested"), catalog=installed()))


@pytest.mark.parametrize(("backbone", "check", "message"), FAULTS)
def test_the_kit_notices_a_fault(backbone: type[ViT], check: str, message: str) -> None:
    run(Small, check)
    with pytest.raises(AssertionError, match=message):
        run(backbone, check)


def test_the_kits_own_backbone_passes() -> None:
    with temporary_components(backbone={"tested": TinyPatchBackbone}) as catalog:
        for check in CHECKS["backbone"].values():
            with contextlib.suppress(pytest.skip.Exception):
                check(Case(catalog.get("backbone", "tested"), catalog=catalog))


def test_the_kit_checks_backbones_of_patches() -> None:
    names = {check.__name__ for check in conformance.checks_of("backbone")}
    assert {check for _, check, _ in FAULTS} < names
