"""Validates a composed tree and converts it to a `Spec`: looks up components, checks values, reports every mistake."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import PurePath
from typing import Any

from sslreg.errors import UserError
from sslreg.registry import KINDS, Catalog
from sslreg.spec.cross_checks import check_consistency
from sslreg.spec.diagnostics import DiagnosticCollector
from sslreg.spec.parameters import Parameter, Parameters, Section, Slot, kind_keys, parameters_of, section_keys
from sslreg.spec.sections import VERSION, ComponentSpec, Sections, Spec
from sslreg.spec.trainer_keys import SET_BY_RUN
from sslreg.spec.tree import (
    KeyPath,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    format_node,
    format_path,
    remove_keys,
    to_python,
    walk,
)
from sslreg.spec.value_validation import INVALID, validate_value
from sslreg.spec.view_roles import assign_roles
from sslreg.suggestions import did_you_mean


def validate(tree: MappingNode, catalog: Catalog, diagnostics: DiagnosticCollector, file: str) -> Spec:
    """Convert a composed tree to a spec.

    Raises:
        SpecError: the spec has errors; those reported before are included.
    """
    _check_version(tree, diagnostics)
    validator = _Validator(catalog, diagnostics)
    values = validator.validate_keys(tree, section_keys(Sections), (), "the spec")
    tree = remove_keys(tree, validator.dropped)
    check_consistency(values, tree, diagnostics)
    diagnostics.raise_errors()
    values["views"] = assign_roles(values["model"], values["views"])
    values.setdefault("name", re.sub(r"\W+", "-", PurePath(file).stem).strip("-") or "run")
    return Spec(**values, warnings=diagnostics.select("warning"), file=file, sources=diagnostics.sources, tree=tree)


def _check_version(tree: MappingNode, diagnostics: DiagnosticCollector) -> None:
    """Raise `SpecError` if the spec is for a later version, since nothing else can be judged then."""
    version = tree.entries.get("version")
    if isinstance(version, ScalarNode) and type(version.value) is int and version.value > VERSION:
        diagnostics.report(
            version.location,
            "version",
            f"the spec is for version {version.value} of the spec language; this sslreg reads version {VERSION}",
            "update sslreg, or write the spec for the older version",
        )
        raise diagnostics.to_exception()


def _section_hint(key: str) -> str | None:
    """Return a hint for a key that is at the top level but belongs into a section."""
    sections = {name: parameter.section for name, parameter in section_keys(Sections).items() if parameter.section}
    names = [name for name, section in sections.items() if key in section.keys]
    return f"it belongs under {' or '.join(f'`{name}`' for name in names)}" if names else None


#: Hints for keys that users of other libraries write, by the path of their mapping.
_COMMON_KEYS: dict[tuple[KeyPath, str], str] = {
    **{((), key): "write trainer: {max_epochs: …}" for key in ("epochs", "n_epochs", "num_epochs")},
    **{(("trainer",), key): "write max_epochs" for key in ("epochs", "n_epochs", "num_epochs")},
    **{((), key): "it is a key of the optimizer: optimizer: {use: …, lr: …}" for key in ("lr", "learning_rate")},
    **{((), key): "it is a key of the model: model: {use: …, backbone: {use: …}}" for key in ("backbone", "encoder")},
    **{((), key): "write views: [{augment: [{use: …}]}]" for key in ("augment", "augmentations", "transforms")},
    **{(("data",), key): "evaluators are tested on the data set `test`" for key in ("val", "valid")},
    **{((), key): "write data: {test: {use: …}}" for key in ("val", "valid", "validation")},
}


class _Validator:
    """Validates a tree key by key.

    Attributes:
        dropped: the paths of keys that were inherited from another component and are removed from the spec.
    """

    def __init__(self, catalog: Catalog, diagnostics: DiagnosticCollector) -> None:
        self._catalog = catalog
        self._diagnostics = diagnostics
        self.dropped: set[KeyPath] = set()
        self._invalid_count = 0

    def validate_keys(
        self, node: MappingNode, allowed: Mapping[str, Parameter], path: KeyPath, owner: str
    ) -> dict[str, Any]:
        """Return the valid values of a mapping.

        Args:
            node: the mapping.
            allowed: the keys that it may contain.
            path: where the mapping is.
            owner: what the mapping describes, for messages.
        """
        values = {}
        unknown = []
        for key, child in node.entries.items():
            parameter = allowed.get(key)
            if parameter is None or parameter.from_run:
                unknown.append(key)
                self._report_unknown_key(node, key, allowed, path, owner)
            elif (value := self._validate_child(child, parameter, (*path, key))) is not INVALID:
                values[key] = value
        for name, parameter in allowed.items():
            given = name in node.entries or parameter.from_run or get_close_matches(name, unknown)
            if parameter.required and not given:
                hint = parameter.description or (f"write {name}: {{use: …}}" if parameter.slot else None)
                self._diagnostics.report(node.location, "missing-key", f"{owner} needs the key {name!r}", hint)
        return values

    def _report_unknown_key(
        self, node: MappingNode, key: str, allowed: Mapping[str, Parameter], path: KeyPath, owner: str
    ) -> None:
        location = node.key_locations[key]
        if key in node.inherited:
            self._diagnostics.report(
                location,
                "inherited-key",
                f"{key!r} is ignored: it was written for {node.inherited[key]!r}, and {owner} has no such key",
                severity="warning",
            )
            self.dropped.add((*path, key))
            return
        if key in allowed:
            message = f"{key!r} of {owner} is set by the run"
            self._diagnostics.report(location, "unknown-key", message, "remove it")
            return
        writable = [name for name, parameter in allowed.items() if not parameter.from_run]
        hint = (
            (path == ("trainer",) and SET_BY_RUN.get(key))
            or _COMMON_KEYS.get((path, key))
            or (not path and _section_hint(key))
            or did_you_mean(key, writable)
        )
        self._diagnostics.report(location, "unknown-key", f"{owner} has no key {key!r}", hint)

    def _validate_child(self, node: Node, parameter: Parameter, path: KeyPath) -> Any:
        """Return the value of a key, or `INVALID` if any part of it is wrong, so that nothing is inferred from it."""
        before = self._mistakes
        if nested := parameter.slot or parameter.section:
            value = self._validate_nested(node, nested, path)
        else:
            value = INVALID if self._is_invalid(node) else validate_value(node, parameter, path, self._diagnostics)
        return value if self._mistakes == before else INVALID

    @property
    def _mistakes(self) -> int:
        return self._diagnostics.error_count + self._invalid_count

    def _is_invalid(self, node: Node) -> bool:
        """Return whether a part of a value could not be read, which has been reported."""
        invalid = any(isinstance(part, ScalarNode) and part.invalid for _, part in walk(node))
        self._invalid_count += invalid
        return invalid

    def _validate_nested(self, node: Node, nested: Slot | Section, path: KeyPath) -> Any:
        """Return the value of a slot or a section."""
        if nested.optional and isinstance(node, ScalarNode) and node.value is None:
            return None
        if isinstance(nested, Slot) and nested.by_name:
            return self._validate_components_by_name(node, nested, path)
        if not nested.many:
            return self._validate_item(node, nested, path)
        if isinstance(nested, Slot) and nested.allows_one and not isinstance(node, SequenceNode):
            item = self._validate_item(node, nested, path)
            return item if item is INVALID else (item,)
        if isinstance(node, SequenceNode):
            items = [self._validate_item(item, nested, (*path, index)) for index, item in enumerate(node.items)]
            return tuple(item for item in items if item is not INVALID)
        if not self._is_invalid(node):
            hint = "write a list of one item: [{…}]" if isinstance(node, MappingNode) else None
            if isinstance(nested, Slot) and isinstance(node, ScalarNode) and isinstance(node.value, str):
                hint = f"write [{{use: {node.value}}}]"
            message = f"{format_path(path)} is {format_node(node)}; it should be a list"
            self._diagnostics.report(node.location, "not-a-list", message, hint)
        return INVALID

    def _validate_components_by_name(self, node: Node, slot: Slot, path: KeyPath) -> Any:
        title = KINDS[slot.kind].title_with_article
        hint = f"write {path[-1]}: {{NAME: {{use: …}}}}, with any name for {title}"
        if not isinstance(node, MappingNode):
            if not self._is_invalid(node):
                message = f"{format_path(path)} is {format_node(node)}; it should be a mapping from names to components"
                self._diagnostics.report(node.location, "not-a-mapping", message, hint)
            return INVALID
        if "use" in node.entries:
            message = f"{format_path(path)} is {title}; it should be a mapping from names to components"
            self._diagnostics.report(node.key_locations["use"], "not-a-mapping", message, hint)
            return INVALID
        items = {name: self._validate_item(item, slot, (*path, name)) for name, item in node.entries.items()}
        return {name: item for name, item in items.items() if item is not INVALID}

    def _validate_item(self, node: Node, nested: Slot | Section, path: KeyPath) -> Any:
        if isinstance(node, MappingNode):
            if isinstance(nested, Slot):
                return self._validate_component(node, nested.kind, path)
            return self._validate_section(node, nested, path)
        if self._is_invalid(node):
            return INVALID
        message = f"{format_path(path)} is {format_node(node)}; it should be "
        if isinstance(nested, Section):
            self._diagnostics.report(node.location, "not-a-mapping", message + "a mapping")
            return INVALID
        hint = f"write {{use: {node.value}}}" if isinstance(node, ScalarNode) and isinstance(node.value, str) else None
        self._diagnostics.report(
            node.location,
            "not-a-component",
            f"{message}{KINDS[nested.kind].title_with_article}: a mapping with the key `use`",
            hint,
        )
        return INVALID

    def _validate_section(self, node: MappingNode, section: Section, path: KeyPath) -> Any:
        values = self.validate_keys(node, section.keys, path, format_path(path))
        complete = all(name in values for name, parameter in section.keys.items() if parameter.required)
        return section.build(**values) if complete else INVALID

    def _validate_component(self, node: MappingNode, kind: str, path: KeyPath) -> Any:
        use = node.entries.get("use")
        parameters = self._find_parameters(node, use, kind, path)
        if use is None or parameters is None:
            return INVALID
        owner = f"{KINDS[kind].title} {to_python(use)!r}"
        reserved = kind_keys(kind)
        rest = replace(node, entries={key: value for key, value in node.entries.items() if key != "use"})
        values = self.validate_keys(rest, {**parameters, **reserved}, path, owner)
        params = {
            # Components are built from lists.
            name: list(value) if parameters[name].slot and isinstance(value, tuple) else value
            for name, value in values.items()
            if name not in reserved
        }
        keys = {name: values.get(name, parameter.default) for name, parameter in reserved.items()}
        return ComponentSpec(kind, to_python(use), parameters.component, params, keys, path)

    def _find_parameters(self, node: MappingNode, use: Node | None, kind: str, path: KeyPath) -> Parameters | None:
        """Return the parameters of the component that `use` names."""
        title = KINDS[kind].title
        names = {info.name for info in self._catalog.of_kind(kind)}
        if use is None:
            key = next((key for key in node.entries if key in names), None)
            hint = f"write {{use: {key}, …}}" if key else did_you_mean("", names)
            message = f"{format_path(path)} needs the key `use`, the name of {KINDS[kind].title_with_article}"
            self._diagnostics.report(node.location, "missing-use", message, hint)
            return None
        if self._is_invalid(use):
            return None
        if not isinstance(use, ScalarNode) or not isinstance(use.value, str):
            message = f"use is {format_node(use)}; it should be the name of {KINDS[kind].title_with_article}"
            self._diagnostics.report(use.location, "wrong-type", message)
            return None
        try:
            parameters = parameters_of(self._catalog.get(kind, use.value))
        except UserError as error:
            for diagnostic in error.diagnostics:
                message = diagnostic.message
                if use.env_reference:
                    message = message.replace(repr(use.value), use.env_reference)
                self._diagnostics.add(use.location, replace(diagnostic, message=message))
            return None
        if parameters.unwritable:
            unwritable = ", ".join(repr(name) for name in parameters.unwritable)
            message = f"{title} {use.value!r} cannot be used in a spec: YAML has no form for its parameter {unwritable}"
            self._diagnostics.report(use.location, "unusable-component", message, "build it in Python instead")
            return None
        return parameters
