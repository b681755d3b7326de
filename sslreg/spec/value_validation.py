"""Validates a single value against its type, and explains a mismatch in a user's words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails, to_json

from sslreg.spec.diagnostics import DiagnosticCollector
from sslreg.spec.parameters import Parameter
from sslreg.spec.tree import (
    KeyPath,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    find_nearest,
    format_node,
    format_path,
    to_python,
)
from sslreg.spec.yaml_scalars import parse_scalar
from sslreg.suggestions import did_you_mean

#: Marks a value that is invalid; the reason has been reported.
INVALID: Any = object()

#: The words that YAML 1.1 took for booleans.
_YAML_1_1_BOOLEANS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def validate_value(node: Node, parameter: Parameter, path: KeyPath, diagnostics: DiagnosticCollector) -> Any:
    """Return the value of a node, or `INVALID` after reporting why it does not fit.

    Args:
        node: the node.
        parameter: declares the type.
        path: where the node is.
        diagnostics: receives the mistakes.
    """
    try:
        return _parse(node, parameter)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
    # A variable of the environment counts as text, too, even if the text looks like a number.
    if any(detail["type"] == "string_type" for detail in details):
        try:
            return _parse(_environment_as_text(node), parameter)
        except ValidationError:
            pass
    _report(node, details, path, parameter, diagnostics)
    return INVALID


def explain_violation(parameter: Parameter, value: Any) -> str | None:
    """Return what a value should be if it is outside of the bounds of its parameter, or None.

    Only bounds are compared, not types: in Python a value may be an object that no spec can contain.
    """
    if isinstance(value, Iterator):
        return None  # validation would exhaust it
    try:
        parameter.adapter.validate_python(value)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            if detail["type"] == "literal_error" and not isinstance(detail["input"], _SCALARS):
                continue
            if detail["type"] in _BOUNDS:
                template = _EXPECTATIONS.get(detail["type"]) or _LENGTHS[detail["type"]]
                expected = template.format(**{name: _shorten(fact) for name, fact in detail.get("ctx", {}).items()})
                return expected if detail["type"] in _LENGTHS else f"it should be {expected}"
    return None


def _parse(node: Node, parameter: Parameter) -> Any:
    # Strict validation of JSON turns lists into tuples and text into paths, but does not take '128' for an integer.
    return parameter.adapter.validate_json(to_json(to_python(node), inf_nan_mode="constants"), strict=True)


def _environment_as_text(node: Node) -> Node:
    match node:
        case ScalarNode(env_text=str() as text):
            return replace(node, value=text)
        case SequenceNode():
            return replace(node, items=tuple(_environment_as_text(item) for item in node.items))
        case MappingNode():
            return replace(node, entries={key: _environment_as_text(value) for key, value in node.entries.items()})
    return node


def _report(
    node: Node, details: Iterable[ErrorDetails], path: KeyPath, parameter: Parameter, diagnostics: DiagnosticCollector
) -> None:
    """Report pydantic's errors. For a union, report those of the members that match the value most deeply."""
    by_path: dict[KeyPath, list[ErrorDetails]] = {}
    for detail in details:
        by_path.setdefault(_to_path(node, detail["loc"]), []).append(detail)
    for inner, errors in by_path.items():
        if any(other[: len(inner)] == inner and other != inner for other in by_path):
            continue
        value = find_nearest(node, inner)
        is_type_error = any(error["type"].endswith(("_type", "_parsing")) for error in errors)
        diagnostics.report(
            value.location,
            "wrong-type" if is_type_error else "wrong-value",
            f"{format_path((path[-1], *inner))} is {format_node(value)}; {_format_expectation(errors, value)}",
            _hint(value, errors, parameter),
        )


def _to_path(node: Node, loc: tuple[int | str, ...]) -> KeyPath:
    """Convert pydantic's location to a path in `node`, without pydantic's names for the members of unions."""
    path: KeyPath = ()
    for step in loc:
        here = find_nearest(node, path)
        if (isinstance(here, SequenceNode) and isinstance(step, int) and step < len(here.items)) or (
            isinstance(here, MappingNode) and step in here.entries
        ):
            path = (*path, step)
    return path


#: The types of values that a choice may list.
_SCALARS = (str, int, float, type(None))

#: The errors of a value that has the right type.
_BOUNDS = {
    *("greater_than", "greater_than_equal", "less_than", "less_than_equal", "literal_error", "too_short", "too_long"),
    "finite_number",
}

#: What a value should be, by pydantic's type of error; the error's context fills in the braces.
_EXPECTATIONS = {
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
    "greater_than": "greater than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "finite_number": "finite",
    "literal_error": "{expected}",
    "enum": "{expected}",
}
_LENGTHS = {
    "too_short": "it should have at least {min_length} item(s)",
    "too_long": "it should have at most {max_length} item(s)",
}


def _format_expectation(errors: list[ErrorDetails], value: Node) -> str:
    """Describe what the value should be; for a union, all alternatives together."""
    alternatives: dict[str, None] = {}
    others: dict[str, None] = {}
    for error in errors:
        kind, context = error["type"], {name: _shorten(fact) for name, fact in error.get("ctx", {}).items()}
        if kind in _EXPECTATIONS:
            alternatives[_EXPECTATIONS[kind].format(**context)] = None
        elif kind in _LENGTHS:
            others[_LENGTHS[kind].format(**context)] = None
        elif kind == "missing":
            is_list = isinstance(value, SequenceNode)
            others["it has too few items" if is_list else f"it needs the key {error['loc'][-1]!r}"] = None
        else:
            message = error["msg"].removeprefix("Value error, ")
            others[message[:1].lower() + message[1:]] = None
    should_be = [f"it should be {' or '.join(alternatives)}"] if alternatives else []
    return "; ".join([*should_be, *others])


def _shorten(fact: Any) -> Any:
    return int(fact) if isinstance(fact, float) and fact.is_integer() else fact


def _hint(value: Node, errors: list[ErrorDetails], parameter: Parameter) -> str | None:
    if not isinstance(value, ScalarNode) or value.env_reference:
        return None
    kinds = {error["type"] for error in errors}
    given = value.value
    if isinstance(given, str):
        for error in errors:
            expected = re.findall(r"'([^']*)'", str(error.get("ctx", {}).get("expected", "")))
            if get_close_matches(given, expected):
                return did_you_mean(given, expected)
        if "bool_type" in kinds and given.lower() in _YAML_1_1_BOOLEANS:
            return f"write {_YAML_1_1_BOOLEANS[given.lower()]}"
        number = parse_scalar(given.replace("_", "")) if len(given) < 40 else given
        if kinds & {"int_type", "float_type"} and isinstance(number, int | float):
            return f"write the number without quotes or underscores: {number}"
    elif "string_type" in kinds and isinstance(given, bool) and parameter.description:
        return parameter.description
    elif "string_type" in kinds and given is not None:
        return f"put text that looks like another type in quotes: {format_node(value)!r}"
    elif "int_type" in kinds and isinstance(given, float) and given.is_integer():
        return f"write {int(given)}"
    return None
