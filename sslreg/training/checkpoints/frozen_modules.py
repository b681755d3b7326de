"""The SHA-256 of frozen modules, whose weights a checkpoint does not hold but a resumed run needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from sslreg.assembly import Pipeline, find_component
from sslreg.contracts import FrozenModule

_KEY = "frozen_modules"


def add_frozen_modules(checkpoint: dict[str, Any], pipeline: Pipeline) -> None:
    """Add the SHA-256 of each frozen module to a checkpoint."""
    checkpoint[_KEY] = {name: module.sha256() for name, module in _find_frozen_modules(pipeline).items()}


def require_same_frozen_modules(checkpoint: Mapping[str, Any], pipeline: Pipeline) -> None:
    """Raise a UserError if a frozen module has other weights than when a checkpoint was written."""
    spec, before = pipeline.spec, checkpoint.get(_KEY, {})
    for name, module in _find_frozen_modules(pipeline).items():
        if before.get(name) == module.sha256():
            continue
        component = find_component(spec, module)
        path, use = (spec.model.path, spec.model.use) if component is None else (component.path, component.use)
        weights = None if component is None else component.params.get("weights")
        raise spec.error(
            path,
            "frozen-weights-changed",
            f"the frozen weights of {use!r} ({name}) differ from those with which the run was trained",
            f"restore {'them' if weights is None else weights}, or start a new run",
        )


def _find_frozen_modules(pipeline: Pipeline) -> dict[str, FrozenModule]:
    """Return the frozen modules of the model and the loss by their names."""
    modules = nn.ModuleDict({"model": pipeline.model, "loss": pipeline.loss})
    return {name: module for name, module in modules.named_modules() if isinstance(module, FrozenModule)}
