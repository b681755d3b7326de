"""The preprocessing of images for a backbone, described so that it needs no sslreg."""

from __future__ import annotations

from typing import Any

from torchvision.transforms import v2

from sslreg.assembly import build_embed_plan
from sslreg.contracts import Augmentation
from sslreg.registry import installed
from sslreg.spec import Spec
from sslreg.views import Operation


def list_steps(spec: Spec) -> list[dict[str, Any]]:
    """Return the operations of the embedding view with all of their parameters, as entries of a spec.

    An operation that no spec can name is described only by its class.
    """
    return [_describe(operation.augmentation) for operation in build_embed_plan(spec).operations]


def find_statistics(entries: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Return the ``mean`` and ``std`` of the last normalization of channels; empty without one."""
    normalizations = [entry for entry in entries if {"mean", "std"} <= set(entry)]
    return {name: list(normalizations[-1][name]) for name in ("mean", "std")} if normalizations else {}


def build_torchvision_code(spec: Spec) -> str | None:
    """Return torchvision code that builds ``preprocess``, a function from a PIL image to a tensor (C, H, W).

    Its pixels differ by at most one level of 255. The result is None if torchvision has no transform of the same name
    and parameters for an operation, or if the spec states a range of levels or a background.
    """
    if spec.data.range is not None or spec.data.background is not None:
        return None
    operations = list(build_embed_plan(spec).operations)
    calls = [_format_call(operation) for operation in operations]
    if None in calls:
        return None
    geometry = sum(operation.augmentation.geometry for operation in operations)
    channels = {1: ["v2.Grayscale(1)"], 3: ["v2.RGB()"]}.get(spec.data.channels, [])
    steps = [
        "v2.ToImage()",
        *channels,
        *calls[:geometry],
        "v2.ToDtype(torch.float32, scale=True)",
        *calls[geometry:],
    ]
    inner = "".join(f"    {call},\n" for call in steps)
    return f"import torch\nfrom torchvision.transforms import v2\npreprocess = v2.Compose([\n{inner}])"


def _describe(augmentation: Augmentation) -> dict[str, Any]:
    kind = type(augmentation)
    target = f"{kind.__module__}:{kind.__qualname__}"
    names = [info.name for info in installed().of_kind("augmentation") if info.target == target]
    if not names or not all(_is_plain(value) for value in vars(augmentation).values()):
        return {"class": target}
    return {"use": names[0], **vars(augmentation)}


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def _format_call(operation: Operation) -> str | None:
    """Return code for torchvision's transform of the same name; None if there is none with the same parameters."""
    entry = _describe(operation.augmentation)
    name = "".join(word.capitalize() for word in entry.pop("use", "").split("_"))
    transform = getattr(v2, name, None) if name else None
    if transform is None:
        return None
    arguments = {
        key: f"v2.InterpolationMode({value!r})" if key == "interpolation" else repr(value)
        for key, value in entry.items()
    }
    call = f"v2.{name}({', '.join(f'{key}={value}' for key, value in arguments.items())})"
    try:
        eval(call, {"v2": v2})
    except (TypeError, ValueError):
        return None
    return call
