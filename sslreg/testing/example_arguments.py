"""Example values for the constructor arguments of a component under test."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from sslreg.spec.bounds import find_violation
from sslreg.spec.parameters import Parameter
from sslreg.testing.tiny_components import IMAGE_SIZE, SAMPLES, TINY_COMPONENTS, WIDTH, TinyPatchBackbone

#: The facts of a run for `FromRun`. They are those of the batches of `tiny_components`.
FACTS: dict[str, Any] = {
    "in_channels": 3,
    "image_size": IMAGE_SIZE,
    "num_features": WIDTH,
    "embedding_dim": WIDTH,
    "num_samples": 64,
    "num_classes": 4,
    "batch_size": SAMPLES,
    "world_size": 1,
    "steps_per_epoch": 8,
    "total_steps": 32,
    "run_folder": "runs/under-test",
}

#: Values for required parameters. The first one that a parameter's type accepts is used.
EXAMPLES: tuple[Any, ...] = (12, 1, 0.5, 0.05, True, (12, 12), (0.2, 0.8))

#: Values that the bounds of parameters may exclude.
EXTREMES: tuple[Any, ...] = (-1, 0, 2, 10**30, -1e30, 1e30, float("nan"), float("inf"), "", (), (-1,), (0,), (-1, -1))


def example_argument(parameter: Parameter) -> Any:
    """Return a value for a required parameter: a tiny component for a slot, or the first example that its type accepts.

    Raises:
        LookupError: None of the examples fits.
    """
    slot = parameter.slot
    if slot is not None and slot.kind in TINY_COMPONENTS:
        takes_patches = slot.contract is not None and issubclass(TinyPatchBackbone, slot.contract)
        component = TinyPatchBackbone() if takes_patches else TINY_COMPONENTS[slot.kind]()
        return [component] if slot.many else component
    for example in (*_choices(parameter), *EXAMPLES):
        try:
            return parameter.adapter.validate_python(example, strict=True)
        except ValidationError:
            continue
    raise LookupError(parameter.name)


def values_out_of_bounds(parameter: Parameter) -> list[Any]:
    """Return those of the extreme values that the bounds of a parameter exclude."""
    return [value for value in EXTREMES if find_violation(parameter, value)]


def _choices(parameter: Parameter) -> tuple[Any, ...]:
    """Return the values that the type lists."""
    schema = parameter.adapter.json_schema()
    return (*schema.get("enum", ()), *([schema["const"]] if "const" in schema else ()))
