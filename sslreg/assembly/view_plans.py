"""From the spec's views to the collate functions that make them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sslreg.assembly.builder import Builder
from sslreg.contracts import Batch, Sample
from sslreg.spec import ComponentSpec, Spec
from sslreg.views import Collate, Operation, ViewPlan


def build_collate(spec: Spec, device: torch.device | str | None = None, *, keep_params: bool = False) -> Collate:
    """The collate function of a spec: samples in, a `Batch` of views out.

    Works in any plain ``torch.utils.data.DataLoader``. With a `device`, what a view's `place` puts there is left to the
    ``DeferredBatch.finish(device)`` of what the collate returns.
    """
    return Collate(
        view_plans(Builder(spec)),
        seed=spec.seed,
        channels=spec.data.channels,
        on_error=spec.data.on_error,
        device=device,
        keep_params=keep_params,
    )


def build_embed_collate(spec: Spec) -> Collate:
    """The collate that shows images to a trained backbone: one view, nothing random.

    It is the spec's `embed_view`, or derived from its first view: what is deterministic stays, a random crop becomes
    the center of a resized image, and all else is left out.
    """
    return _one_view(spec, embed_plan(spec))


def build_raw_collate(spec: Spec) -> Collate:
    """The collate of the raw-pixels baseline: the embedding view as far as it only moves pixels."""
    return _one_view(spec, embed_plan(spec).geometry_only())


def first_view(collate: Collate, samples: Sequence[Sample]) -> Tensor:
    """The first view (N, C, H, W) of N samples, by a collate without a device."""
    batch = collate(samples)
    assert isinstance(batch, Batch)  # without a device the collate finishes its work
    return batch.views[0]


def view_plans(builder: Builder) -> list[ViewPlan]:
    """The plan of each view, in the order in which a batch has them; views that are repeated share theirs."""
    plans: list[ViewPlan] = []
    for number, entry in enumerate(builder.spec.views):
        plan = ViewPlan(_operations(builder, entry.augment), group=number, place=entry.place)
        plans += [plan] * entry.repeat
    return plans


def _operations(builder: Builder, components: Sequence[ComponentSpec]) -> list[Operation]:
    return [Operation(component.info.name, builder.build(component), str(component.info)) for component in components]


def embed_plan(spec: Spec) -> ViewPlan:
    """The plan of the embedding view."""
    builder = Builder(spec)
    if spec.embed_view is not None:
        return ViewPlan(_operations(builder, spec.embed_view))
    return ViewPlan(_operations(builder, spec.views[0].augment)).for_embedding()


def _one_view(spec: Spec, plan: ViewPlan) -> Collate:
    return Collate([plan], seed=spec.seed, channels=spec.data.channels, on_error=spec.data.on_error)
