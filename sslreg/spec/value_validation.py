"""Checks one value against its type, and says in a user's words why it does not fit."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails, to_json

from sslreg.spec.diagnostics import Findings
from sslreg.spec.parameters import Parameter
from sslreg.spec.scalars import resolve
from sslreg.spec.tree import At, Entries, Items, Node, Scalar, dotted, nearest, plain, shown
from sslreg.suggestions import did_you_mean

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
            f"{dotted((at[-1], *place))} is {shown(value)}; {_wanted(here, value)}",
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


#: What pydantic's kinds of error ask for, in words; `ctx` fills them in.
_WISHES = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "path_type": "text",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "dict_type": "a mapping",
    "none_required": "null",
    "greater_than": "above {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "below {lt}",
    "less_than_equal": "at most {le}",
    "literal_error": "{expected}",
    "enum": "{expected}",
}
_LENGTHS = {"too_short": "it needs {min_length} or more items", "too_long": "it takes no more than {max_length} items"}


def _wanted(details: list[ErrorDetails], value: Node) -> str:
    """What the value should have been, all that it might have been together."""
    wishes: dict[str, None] = {}
    others: dict[str, None] = {}
    for detail in details:
        kind, facts = detail["type"], {name: _short(fact) for name, fact in detail.get("ctx", {}).items()}
        if kind in _WISHES:
            wishes[_WISHES[kind].format(**facts)] = None
        elif kind in _LENGTHS:
            others[_LENGTHS[kind].format(**facts)] = None
        elif kind == "missing":
            others["it has too few items" if isinstance(value, Items) else f"it lacks {detail['loc'][-1]!r}"] = None
        else:
            message = detail["msg"].removeprefix("Value error, ")
            others[message[:1].lower() + message[1:]] = None
    should = [f"it should be {' or '.join(wishes)}"] if wishes else []
    return "; ".join([*should, *others])


def _short(fact: Any) -> Any:
    return int(fact) if isinstance(fact, float) and fact.is_integer() else fact


def _hint(value: Node, details: list[ErrorDetails]) -> str | None:
    if not isinstance(value, Scalar) or value.environment:
        return None
    kinds = {detail["type"] for detail in details}
    given = value.value
    if isinstance(given, str):
        for detail in details:
            expected = re.findall(r"'([^']*)'", str(detail.get("ctx", {}).get("expected", "")))
            if get_close_matches(given, expected):
                return did_you_mean(given, expected)
        if "bool_type" in kinds and given.lower() in _FLAGS:
            return f"write {_FLAGS[given.lower()]}"
        number = resolve(given.replace("_", "")) if len(given) < 40 else given
        if kinds & {"int_type", "float_type"} and isinstance(number, int | float):
            return f"a number is written without quotes: {number}"
    elif "string_type" in kinds and given is not None:
        return f"text that looks like something else is quoted: {shown(value)!r}"
    elif "int_type" in kinds and isinstance(given, float) and given.is_integer():
        return f"write {int(given)}"
    return None
