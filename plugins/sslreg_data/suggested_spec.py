"""The text of a spec that follows a suggestion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

import sslreg
from sslreg_data.suggestion import Suggestion

#: The augmentations whose parameter `size` is that of a view.
_SIZED = ("random_resized_crop", "resize", "center_crop")

#: The side of the largest views that get no blur and a backbone for small images, as SimCLR on CIFAR-10 does
#: (arXiv 2002.05709, section B.9).
_SMALL = 32


def compose_spec(
    suggestion: Suggestion, name: str, data: Mapping[str, Any], levels: Mapping[str, Sequence[float]] | None
) -> dict[str, Any]:
    """Return a spec.

    Args:
        suggestion: The recipe and its changes.
        name: The name of the spec.
        data: The data sets, as in the section ``data`` of a spec.
        levels: ``mean`` and ``std`` of each channel for ``normalize``; None keeps those of the recipe.
    """
    recipe = sslreg.load_spec(suggestion.recipe).to_dict()
    spec = {
        "extends": suggestion.recipe,
        "version": 1,
        "name": name,
        "data": {**data, "channels": suggestion.channels, **suggestion.data},
        "views": [_fit_view(view, suggestion, levels) for view in recipe["views"]],
    }
    if suggestion.size <= _SMALL:
        spec["model"] = {"backbone": {"use": recipe["model"]["backbone"]["use"], "stem": "small"}}
    if "split" in data or "test" in data:
        spec["evaluate"] = [{"use": "knn", "every": 10}, {"use": "linear"}]
    return spec


def _fit_view(
    view: Mapping[str, Any], suggestion: Suggestion, levels: Mapping[str, Sequence[float]] | None
) -> dict[str, Any]:
    """Return a view with the size and the levels of the data set, without what needs other channels."""
    augment = []
    for operation in view["augment"]:
        name = operation["use"]
        if name in _SIZED:
            operation = {**operation, "size": suggestion.size}
        elif name == "normalize" and levels is not None:
            operation = {"use": "normalize", **levels}
        elif (name == "gaussian_blur" and suggestion.size <= _SMALL) or (
            name == "grayscale" and suggestion.channels != 3
        ):
            continue
        elif suggestion.channels != 3:
            operation = {key: value for key, value in operation.items() if key not in ("saturation", "hue")}
        augment.append(operation)
    return {**view, "augment": augment}


def format_spec(spec: Mapping[str, Any], remarks: Sequence[str]) -> str:
    """Return the text of a spec, after remarks as comments."""
    comments = "".join(f"# {remark}\n" for remark in remarks)
    return comments + yaml.dump(spec, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Dumper(yaml.SafeDumper):
    """Writes lists of numbers and mappings of at most a line in flow style."""


def _represent_mapping(dumper: yaml.SafeDumper, mapping: Mapping[str, Any]) -> yaml.Node:
    is_component = "use" in mapping or "test" in mapping.keys() <= {"reference", "test"}
    return dumper.represent_mapping("tag:yaml.org,2002:map", mapping, flow_style=is_component)


def _represent_list(dumper: yaml.SafeDumper, values: Sequence[Any]) -> yaml.Node:
    is_short = not any(isinstance(value, dict) for value in values)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=is_short)


_Dumper.add_representer(dict, _represent_mapping)
_Dumper.add_representer(list, _represent_list)
