"""The parameter groups of an optimizer, with learning rates that depend on the depth of a layer."""

from __future__ import annotations

from typing import Any

from torch import nn

from sslreg.contracts import Backbone, Model, layer_decay
from sslreg.spec import Spec


def list_parameter_groups(spec: Spec, model: Model) -> list[dict[str, Any]]:
    """Return the parameter groups of a model, divided by depth if the optimizer of the spec has a `layer_decay`.

    The parameters of backbones have the rates of `sslreg.layer_decay`. Others, such as those of heads, keep theirs.
    Groups of the highest rate come first.

    Raises:
        UserError: a backbone of the model does not tell its stages.
    """
    groups = list(model.parameter_groups())
    decay: float | None = spec.optimizer.keys["layer_decay"]
    if decay is None:
        return groups
    backbones = [module for module in model.modules() if isinstance(module, Backbone)]
    try:
        layers = [layer for backbone in backbones for layer in layer_decay(backbone, decay)]
    except ValueError as error:
        raise spec.error(("optimizer", "layer_decay"), "no-stages", str(error), "remove layer_decay") from error
    scales = {id(weight): layer["lr_scale"] for layer in layers for weight in layer["params"]}
    divided = [part for group in groups for part in _divide(group, scales)]
    return sorted(divided, key=lambda group: -group.get("lr_scale", 1.0))


def _divide(group: dict[str, Any], scales: dict[int, float]) -> list[dict[str, Any]]:
    """Return a group for each scale that parameters of a group have, in the order of the parameters."""
    parts: dict[float, list[nn.Parameter]] = {}
    for parameter in group["params"]:
        parts.setdefault(scales.get(id(parameter), 1.0), []).append(parameter)
    own = group.get("lr_scale", 1.0)
    return [{**group, "params": parameters, "lr_scale": own * scale} for scale, parameters in parts.items()]
