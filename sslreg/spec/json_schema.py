"""The spec's language as JSON Schema, for editors: what may be written with the components that are installed.

Draft 7, which is what yaml-language-server reads best.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic_core import PydanticSerializationError, to_jsonable_python

from sslreg.errors import UserError
from sslreg.registry import KINDS, Catalog, ComponentInfo
from sslreg.spec.parameters import Parameter, Slot, fields_of, keys_of, parameters_of
from sslreg.spec.sections import Sections

Schema = dict[str, Any]

#: Any value may be a reference instead.
_REFERENCE: Schema = {"type": "string", "pattern": r"^\$\{.+\}$"}

_NULL: Schema = {"type": "null"}


def json_schema(catalog: Catalog) -> Schema:
    """The schema of specs that use the components of `catalog`.

    A spec that extends another may leave anything out: where `extends` is written, nothing is required. A component
    that cannot be imported is offered by name, with any keys.
    """
    complete, partial = _Language(catalog, partial=False), _Language(catalog, partial=True)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "if": {"required": ["extends"]},
        "then": partial.whole(),
        "else": complete.whole(),
        "definitions": {"reference": _REFERENCE} | complete.definitions() | partial.definitions(),
    }


class _Language:
    """The schema in one of two forms; in the partial one, nothing is required."""

    def __init__(self, catalog: Catalog, partial: bool) -> None:
        self._partial = partial
        self._types: dict[str, Schema] = {}
        self._named = {kind: _by_name(catalog.of_kind(kind)) for kind in KINDS}

    def whole(self) -> Schema:
        schema = self._mapping(fields_of(Sections))
        schema["properties"]["extends"] = {
            "description": "What this spec is laid over: a path beside this file, a shipped spec's name, or several.",
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}],
        }
        return schema

    def definitions(self) -> dict[str, Schema]:
        kinds = {self._name(kind): self._kind(kind) for kind in KINDS}
        components = {
            self._name(kind, name): self._component(info, name)
            for kind, named in self._named.items()
            for name, info in named.items()
        }
        return {**kinds, **components, **self._types}

    def _name(self, *parts: str) -> str:
        return "-".join((*parts, "partial") if self._partial else parts)

    def _reference(self, *parts: str) -> Schema:
        return {"$ref": f"#/definitions/{self._name(*parts)}"}

    def _kind(self, kind: str) -> Schema:
        """A component of a kind: `use` says which, and with it what else may be written."""
        named = self._named[kind]
        use = {"enum": list(named)} if named else {"type": "string"}
        schema: Schema = {"type": "object", "properties": {"use": use}}
        if not self._partial:
            schema["required"] = ["use"]
        if named:
            schema["allOf"] = [
                {
                    "if": {"properties": {"use": {"const": name}}, "required": ["use"]},
                    "then": self._reference(kind, name),
                }
                for name in named
            ]
        return schema

    def _component(self, info: ComponentInfo, name: str) -> Schema:
        use = {"use": {"const": name, "description": info.summary}}
        try:
            parameters = parameters_of(info)
        except UserError:
            return {"type": "object", "properties": use, "description": f"{info.summary} (cannot be imported)"}
        schema = self._mapping({**parameters.writable, **keys_of(info.kind)})
        return {"description": info.summary, **schema, "properties": {**use, **schema["properties"]}}

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
        about: Schema = {key: schema.pop(key) for key in ("default", "description") if key in schema}
        if parameter.description:
            about["description"] = parameter.description
        forms = schema["anyOf"] if set(schema) == {"anyOf"} else [schema]
        if {} not in forms and {"type": "string"} not in forms:
            schema = {"anyOf": [*forms, {"$ref": "#/definitions/reference"}]}
        return {**schema, **about}

    def _nested(self, parameter: Parameter) -> Schema | None:
        """The schema of a slot or a section."""
        place = parameter.slot or parameter.section
        if place is None:
            return None
        item = self._reference(place.kind) if isinstance(place, Slot) else self._mapping(place.keys)
        schema: Schema = {"type": "array", "items": item} if place.many else item
        return {"anyOf": [schema, _NULL]} if place.optional else schema

    def _plain(self, parameter: Parameter) -> Schema:
        schema: Schema = parameter.adapter.json_schema(ref_template="#/definitions/{model}")
        self._types |= {name: _draft7(type_) for name, type_ in schema.pop("$defs", {}).items()}
        if not parameter.required and parameter.default is not None:
            with contextlib.suppress(PydanticSerializationError):
                schema["default"] = to_jsonable_python(parameter.default)
        return dict(_draft7(schema))


def _by_name(infos: Iterable[ComponentInfo]) -> dict[str, ComponentInfo]:
    """The components by what a spec calls them: with the distribution where several claim a name."""
    infos = list(infos)
    times = Counter(info.name for info in infos)
    return {info.name if times[info.name] == 1 else f"{info.distribution}:{info.name}": info for info in infos}


def _draft7(schema: Any) -> Any:
    """The same where lists of fixed length are written as in draft 7."""
    if isinstance(schema, list):
        return [_draft7(item) for item in schema]
    if isinstance(schema, dict):
        return {("items" if key == "prefixItems" else key): _draft7(value) for key, value in schema.items()}
    return schema
