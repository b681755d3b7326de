"""The values of a spec by path: as written or by default, and as arguments of ``--set``."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from typing import Any

import sslreg

#: Marks a path at which the spec has no value.
ABSENT: Any = object()


def format_overrides(values: Mapping[str, Any]) -> list[str]:
    """Return the arguments of ``--set`` for values by path.

    The names of components come last: keys that were meant for another component are then ignored.
    """
    ordered = sorted(values.items(), key=lambda item: item[0].rpartition(".")[2] == "use")
    return [f"{path}={json.dumps(value, ensure_ascii=False)}" for path, value in ordered]


def find_value(spec: sslreg.Spec, path: str) -> Any:
    """Return the value at a path as plain data: as written, or else the default; `ABSENT` if there is neither."""
    keys = path.split(".")
    written = _follow(spec.to_dict(), keys)
    return _follow(spec, keys) if written is ABSENT else written


def _follow(value: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        value = _step(value, key)
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError):
        return ABSENT


def _step(value: Any, key: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(key, ABSENT)
    if isinstance(value, list | tuple):
        return value[int(key)] if key.isdecimal() and int(key) < len(value) else ABSENT
    if isinstance(value, sslreg.ComponentSpec):
        return value.params.get(key, value.keys.get(key, _default(value, key)))
    return getattr(value, key, ABSENT)


def _default(component: sslreg.ComponentSpec, key: str) -> Any:
    parameter = inspect.signature(component.info.load()).parameters.get(key)
    return ABSENT if parameter is None or parameter.default is parameter.empty else parameter.default
