"""Builds the plans of a spec's views."""

from __future__ import annotations

from collections.abc import Sequence

from sslreg.assembly.builder import Builder
from sslreg.spec import ComponentSpec, Spec
from sslreg.spec.view_roles import main_view
from sslreg.views import Operation, ViewPlan


def build_view_plans(builder: Builder) -> list[ViewPlan]:
    """Return the plan of each view in the order of a batch; repeated views share one plan."""
    plans: list[ViewPlan] = []
    for group, entry in enumerate(builder.spec.views):
        plan = ViewPlan(
            _build_operations(builder, entry.augment), group=group, place=entry.place, role=entry.role or ""
        )
        plans += [plan] * entry.repeat
    return plans


def build_embed_plan(spec: Spec) -> ViewPlan:
    """Return the plan of the embedding view: the spec's `embed_view`, or one derived from its main view."""
    builder = Builder(spec)
    if spec.embed_view is not None:
        return ViewPlan(_build_operations(builder, spec.embed_view))
    return ViewPlan(_build_operations(builder, main_view(spec).augment)).for_embedding()


def build_fine_tuning_plan(spec: Spec) -> ViewPlan:
    """Return the plan of the view on which evaluators train a backbone with labels.

    It moves pixels as the spec's main view does, by crops and flips, and changes values as the embedding view does. So
    it suits the images, without changes of color that are meant for self-supervised learning.
    """
    training = _build_operations(Builder(spec), main_view(spec).augment)
    embedding = build_embed_plan(spec).operations
    return ViewPlan([one for one in training if one.geometry] + [one for one in embedding if not one.geometry])


def _build_operations(builder: Builder, components: Sequence[ComponentSpec]) -> list[Operation]:
    return [Operation(component.info.name, builder.build(component), str(component.info)) for component in components]
