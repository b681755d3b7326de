"""Builds the further baselines of a spec, frozen backbones with which the trained one is compared, and tries them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from sslreg.assembly.builder import Builder, build_seeded, without_weights
from sslreg.assembly.evaluators import NamedEvaluator
from sslreg.assembly.model_trial import UnsupportedTrialError, explain_errors, require_memory, try_embedding
from sslreg.assembly.view_trial import ViewShape
from sslreg.contracts import Backbone, Batch, Loss, Model, PatchBackbone, PatchEvaluator, StepOutput
from sslreg.spec import ComponentSpec, Spec


class BackboneModel(Model):
    """A backbone as a model that embeds images and is not trained."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone
        self.embedding_dim = backbone.num_features

    def training_step(self, batch: Batch, loss: Loss) -> StepOutput:
        raise TypeError("a baseline is not trained")


def build_baseline(builder: Builder, component: ComponentSpec, shape: Sequence[int]) -> Model:
    """Build a further baseline.

    Args:
        builder: builds the components of the spec.
        component: the backbone, one of the spec's `baselines`.
        shape: the shape (C, H, W) of the embedding view.

    Raises:
        UserError: the backbone cannot be built, for example because its weights are missing, or it does not support
            images of this shape.
    """
    model = BackboneModel(build_seeded(_with_view_facts(builder, shape), component)).eval()
    images = torch.zeros(1, *shape)
    try_embedding(builder.spec, component.path, model, images)
    return model


def try_baselines(builder: Builder, embed_view: ViewShape, evaluators: Iterable[NamedEvaluator]) -> None:
    """Build the further baselines without memory, and embed images.

    Raises:
        SpecError: a baseline does not fit the embedding view or the evaluators.
    """
    entries = list(evaluators)
    for component in builder.spec.baselines.values():
        try:
            _try_baseline(builder, component, embed_view, entries)
        except UnsupportedTrialError:
            continue


def _try_baseline(
    builder: Builder, component: ComponentSpec, embed_view: ViewShape, evaluators: Sequence[NamedEvaluator]
) -> None:
    spec = builder.spec
    with torch.device("meta"), explain_errors(spec, component.path, component.use):
        backbone = _with_view_facts(builder, embed_view.shape).build(without_weights(component))
    require_memory(spec, component.path, "the baseline", backbone)
    require_patches(spec, component, backbone, evaluators)
    if embed_view.is_fixed:
        images: Tensor = torch.empty(2, *embed_view.shape, device="meta")
        try_embedding(spec, component.path, BackboneModel(backbone), images)


def require_patches(
    spec: Spec, component: ComponentSpec, backbone: Backbone, evaluators: Iterable[NamedEvaluator]
) -> None:
    """Refuse a baseline without patches if an evaluator evaluates patches."""
    entry = next((entry for entry in evaluators if isinstance(entry.evaluator, PatchEvaluator)), None)
    if entry is not None and not isinstance(backbone, PatchBackbone):
        raise spec.error(
            component.path,
            "no-patches",
            f"{entry.name} evaluates features of patches, and the baseline {component.use!r} has none",
            "use a backbone of patches, such as a Vision Transformer, or remove the evaluator or the baseline",
        )


def _with_view_facts(builder: Builder, shape: Sequence[int]) -> Builder:
    """Return a builder whose facts about views are those of the embedding view."""
    facts = {"in_channels": shape[0], "image_size": max(shape[1:])}
    return Builder(builder.spec, builder.facts | facts)
