"""The stages of convolutional networks and other models of torchvision and timm, by their parameters."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from torch import nn

#: The containers of torchvision's models whose children are the stages.
_CONTAINERS = ("features", "trunk_output", "blocks", "layers")

#: The first words of the names of parameters that timm has after the stages.
_AFTER = ("head", "norm", "fc", "classifier")


def torchvision_parameters_by_depth(body: nn.Module) -> list[list[nn.Parameter]]:
    """Return the parameters of a model of torchvision by depth; see `sslreg.Backbone.parameters_by_depth`.

    The stages are the parts of the model in order, such as ``layer1`` or a child of ``features``. A convolution that is
    no part of a larger one is a stage with its normalization; the first part is the stem. A normalization after a
    larger part comes after the stages.
    """
    depths: list[list[nn.Parameter]] = []
    after: list[nn.Parameter] = []
    follows_single_layer = False
    for part in _list_parts(body):
        is_layer = not any(part.children())
        if is_layer and depths and not isinstance(part, nn.Conv2d):
            (depths[-1] if follows_single_layer else after).extend(part.parameters())
            continue
        depths.append(list(part.parameters()))
        follows_single_layer = is_layer
    return [*depths, after]


def _list_parts(body: nn.Module) -> Iterator[nn.Module]:
    """Yield the parts of a model that have parameters, in order."""
    for name, child in body.named_children():
        parts = child.children() if name in _CONTAINERS else [child]
        yield from (part for part in parts if any(True for _ in part.parameters()))


def timm_parameters_by_depth(body: Any) -> list[list[nn.Parameter]]:
    """Return the parameters of a model of timm by depth; see `sslreg.Backbone.parameters_by_depth`.

    The stages are those of timm's own ``group_matcher(coarse=True)``.

    Raises:
        ValueError: timm does not tell the stages of the model.
    """
    try:
        matcher = body.group_matcher(coarse=True)
    except (AttributeError, AssertionError, TypeError) as error:
        raise ValueError(
            f"timm does not tell the stages of {type(body).__name__}, on which frozen_stages relies"
        ) from error
    group_parameters = import_module("timm.models").group_parameters
    parameters = dict(body.named_parameters())
    groups: list[list[str]] = list(group_parameters(body, matcher).values())
    depths = [[parameters[name] for name in group] for group in groups]
    has_after = all(name.startswith(_AFTER) for name in groups[-1])
    return depths if has_after else [*depths, []]
