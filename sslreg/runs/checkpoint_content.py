"""Compares the content of a checkpoint with what a run would write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from sslreg.errors import type_name


def find_wrong_weights(expected: Mapping[str, Any], given: object) -> str | None:
    """Return the first fault of weights; None if they fit.

    Args:
        expected: the state dict of the module that gets the weights.
        given: the weights in the checkpoint.
    """
    if not isinstance(given, Mapping):
        return f"the weights are a {type_name(given)}, not a mapping"
    if missing := [name for name in expected if name not in given]:
        return f"{missing[0]} is missing{_count_others(missing)}"
    if unknown := [str(name) for name in given if name not in expected]:
        return f"{unknown[0]} is unknown{_count_others(unknown)}"
    differences = (find_wrong_tensor(name, value, given[name]) for name, value in expected.items())
    return next((difference for difference in differences if difference), None)


def find_wrong_tensor(name: str, expected: object, given: object) -> str | None:
    """Return how a value differs from the expected one in type or shape; None if it does not."""
    if not isinstance(expected, Tensor):
        return find_wrong_types(expected, given, name)
    if not isinstance(given, Tensor):
        return f"{name} is a {type_name(given)}, not a tensor"
    if given.shape != expected.shape:
        return f"{name} has the shape {tuple(given.shape)}, not {tuple(expected.shape)}"
    # Another precision is converted.
    if given.dtype != expected.dtype and not (given.is_floating_point() and expected.is_floating_point()):
        return f"{name} is {given.dtype}, not {expected.dtype}"
    return None


def find_wrong_types(expected: object, given: object, name: str) -> str | None:
    """Return where nested mappings and lists differ in type from the expected ones; None if they do not."""
    if isinstance(expected, dict):
        if not isinstance(given, dict):
            return f"{name} is a {type_name(given)}, not a mapping"
        if missing := [key for key in expected if key not in given]:
            return f"{name}.{missing[0]} is missing"
        parts = (find_wrong_types(value, given[key], f"{name}.{key}") for key, value in expected.items())
        return next((part for part in parts if part), None)
    numbers = (int, float)
    if type(expected) is type(given) or (type(expected) in numbers and type(given) in numbers):
        return None
    if expected is None or given is None:  # a value that not every moment of a training has
        return None
    return f"{name} is a {type_name(given)}, not a {type_name(expected)}"


def find_wrong_optimizer(optimizer: torch.optim.Optimizer, given: object) -> str | None:
    """Return the first fault of the state of an optimizer in a checkpoint; None if it fits.

    Args:
        optimizer: an optimizer with the groups of the run, after a step, possibly on the meta device.
        given: the list of states in the checkpoint.
    """
    if not isinstance(given, list) or len(given) != 1 or not isinstance(given[0], dict):
        return "optimizer_states is not a list of one mapping"
    expected = optimizer.state_dict()
    groups, state = given[0].get("param_groups"), given[0].get("state")
    if not isinstance(groups, list) or not all(
        isinstance(group, dict) and isinstance(group.get("params"), list) for group in groups
    ):
        return "the optimizer's param_groups are not a list of mappings"
    sizes = [[len(group["params"]) for group in each] for each in (groups, expected["param_groups"])]
    if sizes[0] != sizes[1]:
        return f"the optimizer has groups of {sizes[0]} parameters, not {sizes[1]}"
    for number, (group, wanted) in enumerate(zip(groups, expected["param_groups"], strict=True)):
        if wrong := find_wrong_types(wanted, group, f"the optimizer's group {number}"):
            return wrong
    if not isinstance(state, dict):
        return f"the optimizer's state is a {type_name(state)}, not a mapping"
    for number, values in state.items():
        if number not in expected["state"] or not isinstance(values, dict):
            return f"the optimizer's state has the wrong entry {number!r}"
        for name, value in expected["state"][number].items():
            if name not in values:
                return f"the optimizer's state of parameter {number} lacks {name}"
            if values[name] is not None and (
                wrong := find_wrong_tensor(f"the optimizer's {name} of parameter {number}", value, values[name])
            ):
                return wrong
    return None


def _count_others(names: list[str]) -> str:
    return f", and {len(names) - 1} others" if len(names) > 1 else ""
