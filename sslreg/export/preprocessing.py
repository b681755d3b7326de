"""How images are made ready for a backbone, said so that it can be done without sslreg."""

from __future__ import annotations

from typing import Any

from torchvision.transforms import v2

from sslreg.assembly import build_embed_plan
from sslreg.contracts import Augmentation
from sslreg.registry import installed
from sslreg.spec import Spec
from sslreg.views import Operation


def steps(spec: Spec) -> list[dict[str, Any]]:
    """The operations of the embedding view with all of their parameters, as entries of a spec.

    An operation that no spec can name has its class alone.
    """
    return [_entry(operation.augmentation) for operation in build_embed_plan(spec).operations]


def statistics(entries: list[dict[str, Any]]) -> dict[str, list[float]]:
    """The ``mean`` and ``std`` that the channels are normalized by; empty if they are not."""
    found = [entry for entry in entries if {"mean", "std"} <= set(entry)]
    return {name: list(found[-1][name]) for name in ("mean", "std")} if found else {}


def torchvision_code(spec: Spec) -> str | None:
    """Lines that make ``preprocess``, a function from a PIL image to a tensor (C, H, W), of torchvision's transforms.

    The same pixels to one level of 255. None if an operation has no namesake there that takes its parameters.
    """
    operations = list(build_embed_plan(spec).operations)
    calls = [_call(operation) for operation in operations]
    if None in calls:
        return None
    geometry = sum(operation.augmentation.geometry for operation in operations)
    channels = {1: ["v2.Grayscale(1)"], 3: ["v2.RGB()"]}.get(spec.data.channels, [])
    whole = ["v2.ToImage()", *channels, *calls[:geometry], "v2.ToDtype(torch.float32, scale=True)", *calls[geometry:]]
    inner = "".join(f"    {call},\n" for call in whole)
    return f"import torch\nfrom torchvision.transforms import v2\npreprocess = v2.Compose([\n{inner}])"


def _entry(augmentation: Augmentation) -> dict[str, Any]:
    kind = type(augmentation)
    target = f"{kind.__module__}:{kind.__qualname__}"
    named = [info.name for info in installed().of_kind("augmentation") if info.target == target]
    if not named or not all(_is_plain(value) for value in vars(augmentation).values()):
        return {"class": target}
    return {"use": named[0], **vars(augmentation)}


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def _call(operation: Operation) -> str | None:
    """torchvision's transform of the same name, where there is one with the same parameters."""
    entry = _entry(operation.augmentation)
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
