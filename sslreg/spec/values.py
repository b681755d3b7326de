"""Checks one value against its type, and says in a user's words why it does not fit."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails, to_json

from sslreg.errors import did_you_mean
from sslreg.spec.findings import Findings
from sslreg.spec.node import At, Entries, Items, Node, Scalar, dotted, nearest, plain, shown
from sslreg.spec.parameters import Parameter
from sslreg.spec.yaml12 import resolve

#: Stands for a value that could not be read; the reason is among the findings.
BAD: Any = object()

#: What YAML 1.1 took for booleans.
_FLAGS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def read_value(node: Node, parameter: Parameter, at: At, findings: Findings) -> Any:
    """The value that `node`, found at `at`, has for a parameter; `BAD` if it has none."""
    try:
        return _checked(node, parameter)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
    # A value from the environment is text as well as what the text says.
    if any(detail["type"] == "string_type" for detail in details):
        try:
            return _checked(_as_text(node), parameter)
        except ValidationError:
            pass
    _report(node, details, at, findings)
    return BAD


def _checked(node: Node, parameter: Parameter) -> Any:
    # Strict, yet from JSON: lists become tuples and text becomes paths, but '128' is no integer.
    return parameter.adapter.validate_json(to_json(plain(node), inf_nan_mode="constants"), strict=True)


def _as_text(node: Node) -> Node:
    match node:
        case Scalar(text=str() as text):
            return replace(node, value=text)
        case Items():
            return replace(node, items=tuple(_as_text(item) for item in node.items))
        case Entries():
            return replace(node, entries={key: _as_text(value) for key, value in node.entries.items()})
    return node


def _report(node: Node, details: Iterable[ErrorDetails], at: At, findings: Findings) -> None:
    """Report what pydantic found; of a union's members, those that fit the value most deeply."""
    found: dict[At, list[ErrorDetails]] = {}
    for detail in details:
        found.setdefault(_place(node, detail["loc"]), []).append(detail)
    for place, here in found.items():
        if any(other[: len(place)] == place and other != place for other in found):
            continue
        value = nearest(node, place)
        typed = any(detail["type"].endswith(("_type", "_parsing")) for detail in here)
        findings.report(
            value.origin,
            "wrong-type" if typed else "wrong-value",
            f"{dotted((at[-1], *place))} is {shown(value)}; {_wanted(here)}",
            _hint(value, here),
        )


def _place(node: Node, loc: tuple[int | str, ...]) -> At:
    """The place within `node` that pydantic means; its names for the members of unions are passed over."""
    place: At = ()
    for step in loc:
        here = nearest(node, place)
        if (isinstance(here, Items) and isinstance(step, int) and step < len(here.items)) or (
            isinstance(here, Entries) and step in here.entries
        ):
            place = (*place, step)
    return place


def _wanted(details: list[ErrorDetails]) -> str:
    messages = dict.fromkeys(detail["msg"] for detail in details)
    wishes = [
        message.removeprefix("Input should be ") for message in messages if message.startswith("Input should be ")
    ]
    others = [
        message.removeprefix("Value error, ")
        for message in messages
        if message not in [f"Input should be {wish}" for wish in wishes]
    ]
    said = [f"it should be {' or '.join(wishes)}"] if wishes else []
    return "; ".join([*said, *(message[:1].lower() + message[1:] for message in others)])


def _hint(value: Node, details: list[ErrorDetails]) -> str | None:
    if not isinstance(value, Scalar) or value.environment:
        return None
    kinds = {detail["type"] for detail in details}
    given = value.value
    if isinstance(given, str):
        for detail in details:
            if detail["type"] == "literal_error":
                return did_you_mean(given, re.findall(r"'([^']*)'", detail["msg"]))
        if "bool_type" in kinds and given.lower() in _FLAGS:
            return f"write {_FLAGS[given.lower()]}"
        number = resolve(given.replace("_", ""))
        if kinds & {"int_type", "float_type"} and isinstance(number, int | float):
            return f"a number is written without quotes: {number}"
    elif "string_type" in kinds and given is not None:
        return f"text that looks like something else is quoted: {shown(value)!r}"
    elif "int_type" in kinds and isinstance(given, float) and given.is_integer():
        return f"write {int(given)}"
    return None
