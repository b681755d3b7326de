"""Mask samplers: the patches that a method sees, and those that it predicts."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import sslreg

if TYPE_CHECKING:
    from sslreg_mask_samplers.block import BlockMaskSampler as BlockMaskSampler
    from sslreg_mask_samplers.multi_block import MultiBlockMaskSampler as MultiBlockMaskSampler
    from sslreg_mask_samplers.random import RandomMaskSampler as RandomMaskSampler

sslreg_api = 1

_HOME = {"BlockMaskSampler": "block", "MultiBlockMaskSampler": "multi_block", "RandomMaskSampler": "random"}
__all__ = list(_HOME)


@sslreg.hookimpl
def sslreg_register(registry: sslreg.Registry) -> None:
    registry.mask_sampler(
        "random",
        "sslreg_mask_samplers.random:RandomMaskSampler",
        summary="a share of the patches, or of squares of patches (MAE, SimMIM)",
    )
    registry.mask_sampler(
        "block",
        "sslreg_mask_samplers.block:BlockMaskSampler",
        summary="blocks of patches in a share of the images (BEiT, iBOT, DINOv2)",
    )
    registry.mask_sampler(
        "multi_block",
        "sslreg_mask_samplers.multi_block:MultiBlockMaskSampler",
        summary="several target blocks, and the rest of a large context block (I-JEPA)",
    )


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
