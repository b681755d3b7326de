"""Describes the spec language, with the installed components, as JSON Schema for editors.

The schema is of draft 7, which yaml-language-server supports best.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic_core import to_jsonable_python

from sslreg.errors import UserError
from sslreg.registry import KINDS, Catalog, ComponentInfo
from sslreg.spec.parameters import Parameter, Slot, kind_keys, parameters_of, section_keys
from sslreg.spec.sections import Sections

Schema = dict[str, Any]

#: A reference, which may replace any value.
_REFERENCE: Schema = {"type": "string", "pattern": r"^\$\{.+\}$"}

_NULL: Schema = {"type": "null"}


def json_schema(catalog: Catalog) -> Schema:
    """Return the schema of specs that use the components of `catalog`.

    Nothing is required in a spec with `extends`, since it may inherit everything. A component that cannot be imported
    is offered by name and accepts any keys.
    """
    complete, partial = _SchemaBuilder(catalog, partial=False), _SchemaBuilder(catalog, partial=True)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "if": {"required": ["extends"]},
        "then": partial.build_spec(),
        "else": complete.build_spec(),
        "definitions": {"reference": _REFERENCE} | complete.build_definitions() | partial.build_definitions(),
    }


class _SchemaBuilder:
    """Builds the schema of complete specs, or of partial ones, in which nothing is required."""

    def __init__(self, catalog: Catalog, partial: bool) -> None:
        self._partial = partial
        self._types: dict[str, Schema] = {}
        self._components = {kind: _names_in_specs(catalog.of_kind(kind)) for kind in KINDS}

    def build_spec(self) -> Schema:
        schema = self._mapping(section_keys(Sections))
        schema["properties"]["extends"] = {
            "description": "The specs that this one extends: a path relative to this file, the name of a shipped spec, "
            "or a list of them.",
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}],
        }
        roles = [self._roles(name, info) for name, info in self._components["model"].items()]
        if any(roles):
            schema["allOf"] = list(filter(None, roles))
        return schema

    def build_definitions(self) -> dict[str, Schema]:
        kinds = {self._name(kind): self._kind(kind) for kind in KINDS}
        components = {
            self._name(kind, name): self._component(info, name)
            for kind, infos in self._components.items()
            for name, info in infos.items()
        }
        return {**kinds, **components, **self._types}

    def _name(self, *parts: str) -> str:
        return "-".join((*parts, "partial") if self._partial else parts)

    def _reference(self, *parts: str) -> Schema:
        return {"$ref": f"#/definitions/{self._name(*parts)}"}

    def _kind(self, kind: str) -> Schema:
        """Describe a component of any name; `use` determines the other keys."""
        names = list(self._components[kind])
        use = {"enum": names} if names else {"type": "string"}
        schema: Schema = {"type": "object", "properties": {"use": use}}
        if not self._partial:
            schema["required"] = ["use"]
        if names:
            schema["allOf"] = [
                {
                    "if": {"properties": {"use": {"const": name}}, "required": ["use"]},
                    "then": self._reference(kind, name),
                }
                for name in names
            ]
        return schema

    def _component(self, info: ComponentInfo, name: str) -> Schema:
        use = {"use": {"const": name, "description": info.summary}}
        try:
            parameters = parameters_of(info)
        except UserError:
            return {"type": "object", "properties": use, "description": f"{info.summary} (cannot be imported)"}
        schema = self._mapping({**parameters.writable, **kind_keys(info.kind)})
        return {"description": info.summary, **schema, "properties": {**use, **schema["properties"]}}

    def _roles(self, name: str, info: ComponentInfo) -> Schema | None:
        """Describe the roles of views with a certain model; None if it has no roles or cannot be imported."""
        try:
            roles = list(getattr(info.load(), "roles", {}))
        except UserError:
            return None
        if not roles:
            return None
        role = {"anyOf": [{"enum": [*roles, None]}, {"$ref": "#/definitions/reference"}]}
        model = {"properties": {"use": {"const": name}}, "required": ["use"]}
        return {
            "if": {"required": ["model"], "properties": {"model": model}},
            "then": {"properties": {"views": {"items": {"properties": {"as": role}}}}},
        }

    def _mapping(self, keys: Mapping[str, Parameter]) -> Schema:
        required = [name for name, parameter in keys.items() if parameter.required and not self._partial]
        return {
            "type": "object",
            "properties": {name: self._value(parameter) for name, parameter in keys.items()},
            "additionalProperties": False,
            **({"required": required} if required else {}),
        }

    def _value(self, parameter: Parameter) -> Schema:
        schema = self._nested(parameter) or self._plain(parameter)
        annotations: Schema = {key: schema.pop(key) for key in ("default", "description") if key in schema}
        if parameter.description:
            annotations["description"] = parameter.description
        alternatives = schema["anyOf"] if set(schema) == {"anyOf"} else [schema]
        if {} not in alternatives and {"type": "string"} not in alternatives:
            schema = {"anyOf": [*alternatives, {"$ref": "#/definitions/reference"}]}
        return {**schema, **annotations}

    def _nested(self, parameter: Parameter) -> Schema | None:
        """Describe a slot or a section; None for other parameters."""
        nested = parameter.slot or parameter.section
        if nested is None:
            return None
        item = self._reference(nested.kind) if isinstance(nested, Slot) else self._mapping(nested.keys)
        schema: Schema = {"type": "array", "items": item} if nested.many else item
        if isinstance(nested, Slot) and nested.by_name:
            schema = {"type": "object", "additionalProperties": item}
        alternatives = [item] if isinstance(nested, Slot) and nested.allows_one else []
        alternatives += [schema, *([_NULL] if nested.optional else [])]
        return {"anyOf": alternatives} if len(alternatives) > 1 else schema

    def _plain(self, parameter: Parameter) -> Schema:
        schema: Schema = parameter.adapter.json_schema(ref_template="#/definitions/{model}")
        self._types |= {name: _to_draft7(type_) for name, type_ in schema.pop("$defs", {}).items()}
        if not parameter.required and parameter.default is not None:
            # The default may be an object of a plugin, which may raise anything.
            with contextlib.suppress(Exception):
                schema["default"] = to_jsonable_python(parameter.default)
        return dict(_to_draft7(schema))


def _names_in_specs(infos: Iterable[ComponentInfo]) -> dict[str, ComponentInfo]:
    """Return components by their names in specs, which include the distribution if several have the same name."""
    infos = list(infos)
    counts = Counter(info.name for info in infos)
    return {info.name if counts[info.name] == 1 else f"{info.distribution}:{info.name}": info for info in infos}


def _to_draft7(schema: Any) -> Any:
    """Replace ``prefixItems`` of lists of fixed length, which draft 7 lacks, by ``items``."""
    if isinstance(schema, list):
        return [_to_draft7(item) for item in schema]
    if isinstance(schema, dict):
        return {("items" if key == "prefixItems" else key): _to_draft7(value) for key, value in schema.items()}
    return schema
