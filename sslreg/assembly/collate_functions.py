"""Builds the collate functions that turn samples into batches of views."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sslreg.assembly.builder import Builder
from sslreg.assembly.image_readers import build_readers
from sslreg.assembly.view_builder import build_embed_plan, build_view_plans
from sslreg.contracts import Batch, Sample
from sslreg.spec import Spec
from sslreg.views import Collate, ViewPlan


def build_collate(spec: Spec, device: torch.device | str | None = None, *, keep_params: bool = False) -> Collate:
    """Return the collate function of a spec, which turns samples into a `Batch` of views.

    It works in any ``torch.utils.data.DataLoader``.

    Args:
        spec: the spec.
        device: where the views are finished. With a device, the collate function returns a `DeferredBatch`, whose
            ``finish(device)`` applies the operations that `place` puts on the device.
        keep_params: whether batches contain the sampled parameters of the augmentations.
    """
    return Collate(
        build_view_plans(Builder(spec)),
        seed=spec.seed,
        channels=spec.data.channels,
        on_error=spec.data.on_error,
        device=device,
        keep_params=keep_params,
        readers=build_readers(spec, training=True),
    )


def build_embed_collate(spec: Spec) -> Collate:
    """Return the collate function that prepares images for a trained backbone: one view without randomness.

    The view is the spec's `embed_view`, or derived from the first view of the model's first role: deterministic
    operations are kept, a random crop is replaced by a resize and a center crop, and all other operations are left out.
    """
    return _build_single_view_collate(spec, build_embed_plan(spec))


def build_raw_pixels_collate(spec: Spec) -> Collate:
    """Return the collate function of the raw-pixels baseline: the geometry of the embedding view alone."""
    return _build_single_view_collate(spec, build_embed_plan(spec).geometry_only())


def make_views(collate: Collate, samples: Sequence[Sample]) -> list[Tensor]:
    """Return the views (N, C, H, W) of N samples, using a collate function without a device."""
    batch = collate(samples)
    assert isinstance(batch, Batch)  # only a collate function with a device defers work
    return batch.views


def _build_single_view_collate(spec: Spec, plan: ViewPlan) -> Collate:
    return Collate(
        [plan],
        seed=spec.seed,
        channels=spec.data.channels,
        on_error=spec.data.on_error,
        readers=build_readers(spec),
    )
