"""Explains the views of a spec: their stages, where each one runs, and what a model learns to overlook."""

from __future__ import annotations

from typing import Any

import torch

from sslreg.assembly.builder import Builder
from sslreg.assembly.view_builder import build_embed_plan, build_view_plans
from sslreg.spec import Spec, induced_invariances
from sslreg.views import ViewPlan


def explain_views(spec: Spec, device: str | None = None) -> dict[str, Any]:
    """Return the stages of a spec's views as plain data.

    Args:
        spec: The spec.
        device: The device, such as cuda or cpu; None for the best one of this machine.

    Returns:
        views: For each entry of the spec's views its number (from 1), role, repeat and stages. A stage has a place
            (``host`` or the device) and its operations, which are fused if there are several.
        embed_view: The stages of the embedding view.
        invariances: The names of the operations that induce each invariance.

    Raises:
        UserError: An operation cannot be built.
    """
    device = device or _find_best_device()
    plans = {plan.group: plan for plan in build_view_plans(Builder(spec))}
    return {
        "views": [
            {
                "number": number + 1,
                "role": view.role,
                "repeat": view.repeat,
                "stages": _list_stages(plans[number], device),
            }
            for number, view in enumerate(spec.views)
        ],
        "embed_view": _list_stages(build_embed_plan(spec), "cpu", embedding=True),
        "invariances": {
            invariance: [component.use for component in components]
            for invariance, components in induced_invariances(spec.views).items()
        },
    }


def _find_best_device() -> str:
    return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"


def _list_stages(plan: ViewPlan, device: str, embedding: bool = False) -> list[dict[str, Any]]:
    """Return the stages of a plan in order, each with its place and its operations.

    Args:
        plan: The plan.
        device: The device.
        embedding: Whether to name operations by their classes, since in the embedding view an operation may be replaced
            by another, such as a random crop by a resize and a center crop.
    """
    on_host = plan.steps_on_host(None if device == "cpu" else torch.device(device))
    parts = ((range(on_host), "host"), (range(on_host, len(plan.steps)), device))
    return [
        {"place": place, "operations": [plan.steps[step].label(by_class=embedding) for step in stage.steps]}
        for steps, place in parts
        for stage in plan.stages(steps)
    ]
