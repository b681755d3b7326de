"""The operations that a view may contain, each with the controls of its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sslreg

#: The beginning of the names under which the JSON Schema defines augmentations.
_PREFIX = "augmentation-"

#: The end of the names of definitions for specs that extend others.
_PARTIAL = "-partial"

_NUMERIC = ("number", "integer")

Schema = Mapping[str, Any]


def describe_operations(catalog: sslreg.Catalog | None = None) -> list[dict[str, Any]]:
    """Return the registered augmentations in alphabetical order, as plain data.

    Args:
        catalog: The registered components; by default those of the installed plugins.

    Returns:
        For each augmentation:

        * ``use``: its name in a spec
        * ``summary``: what it does
        * ``invariances``: the names of the invariances that it induces
        * ``fields``: its parameters; see `describe_field`
    """
    catalog = catalog or sslreg.installed()
    invariances = {info.name: list(info.invariances) for info in catalog.of_kind("augmentation")}
    definitions = sslreg.json_schema(catalog)["definitions"]
    operations = []
    for key in sorted(definitions):
        if not key.startswith(_PREFIX) or key.endswith(_PARTIAL):
            continue
        name, schema = key.removeprefix(_PREFIX), definitions[key]
        required = schema.get("required", ())
        fields = {name: field for name, field in schema["properties"].items() if name != "use"}
        operations.append(
            {
                "use": name,
                "summary": schema.get("description", ""),
                "invariances": invariances[name.rpartition(":")[2]],
                "fields": [describe_field(field, schema, field in required) for field, schema in fields.items()],
            }
        )
    return operations


def describe_field(name: str, schema: Schema, required: bool) -> dict[str, Any]:
    """Return a parameter as plain data.

    Args:
        name: The name of the parameter.
        schema: Its JSON Schema.
        required: Whether a spec has to set it.

    Returns:
        ``name``, ``description``, ``required``, ``default`` (missing if unknown), ``nullable`` and ``control``, which
        is one of:

        * ``numbers``: one or several numbers, by ``lengths`` (1 is a plain number), with ``integer``, and ``low`` and
          ``high`` if they are bounded
        * ``choice``: one of ``choices``
        * ``switch``: true or false
        * ``text``: a string
        * ``operations``: nested operations, at most one unless ``many``
        * ``json``: any other value, written as JSON
    """
    alternatives = [
        one for one in schema.get("anyOf", [schema]) if one.get("$ref", "").rpartition("/")[2] != "reference"
    ]
    plain = [one for one in alternatives if one.get("type") != "null"]
    field = {
        "name": name,
        "description": schema.get("description", ""),
        "required": required,
        "nullable": len(plain) < len(alternatives),
    }
    if "default" in schema:
        field["default"] = schema["default"]
    return {**field, **_choose_control(plain)}


def _choose_control(alternatives: list[Schema]) -> dict[str, Any]:
    """Return the control that can express all alternatives, with its options."""
    if alternatives and all(_count_numbers(one) for one in alternatives):
        return _describe_numbers(alternatives)
    if any(_is_operation(one) or _is_operation(one.get("items")) for one in alternatives):
        return {"control": "operations", "many": any(_is_operation(one.get("items")) for one in alternatives)}
    if len(alternatives) == 1:
        (only,) = alternatives
        if "enum" in only:
            return {"control": "choice", "choices": list(only["enum"])}
        if only.get("type") == "boolean":
            return {"control": "switch"}
        if only.get("type") == "string":
            return {"control": "text"}
    return {"control": "json"}


def _count_numbers(schema: Schema) -> int:
    """Return how many numbers a value has: 1 for a number, n for a list of n numbers, 0 for other values."""
    if schema.get("type") in _NUMERIC and "enum" not in schema:
        return 1
    items = schema.get("items")
    if isinstance(items, list) and all(item.get("type") in _NUMERIC for item in items):
        return len(items)
    return 0


def _describe_numbers(alternatives: list[Schema]) -> dict[str, Any]:
    numbers = [item for one in alternatives for item in one.get("items", [one])]
    lows = [bound for item in numbers if (bound := item.get("minimum", item.get("exclusiveMinimum"))) is not None]
    highs = [bound for item in numbers if (bound := item.get("maximum", item.get("exclusiveMaximum"))) is not None]
    return {
        "control": "numbers",
        "lengths": sorted({_count_numbers(one) for one in alternatives}),
        "integer": all(item["type"] == "integer" for item in numbers),
        **({"low": min(lows)} if len(lows) == len(numbers) else {}),
        **({"high": max(highs)} if len(highs) == len(numbers) else {}),
    }


def _is_operation(schema: Any) -> bool:
    return isinstance(schema, Mapping) and schema.get("$ref") == "#/definitions/augmentation"
