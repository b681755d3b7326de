"""From a tree to a `Spec`: names looked up, values checked, everything that is wrong reported at its place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import PurePath
from typing import Any

from sslreg.errors import UserError
from sslreg.registry import KINDS, Catalog
from sslreg.spec.cross_checks import check_fit
from sslreg.spec.diagnostics import Findings
from sslreg.spec.parameters import Parameter, Parameters, Section, Slot, fields_of, keys_of, parameters_of
from sslreg.spec.sections import VERSION, ComponentSpec, Sections, Spec
from sslreg.spec.trainer_keys import OWNED
from sslreg.spec.tree import At, Entries, Items, Node, Scalar, dotted, plain, shown, walk, without
from sslreg.spec.value_validation import BAD, read_value
from sslreg.suggestions import did_you_mean


def validate(tree: Entries, catalog: Catalog, findings: Findings, file: str) -> Spec:
    """Read a composed tree. SpecError: with all that is wrong, what was in the findings before included."""
    _check_version(tree, findings)
    reader = _Reader(catalog, findings)
    values = reader.keys(tree, fields_of(Sections), (), "a spec")
    tree = without(tree, reader.dropped)
    check_fit(values, tree, findings)
    findings.check()
    values.setdefault("name", re.sub(r"\W+", "-", PurePath(file).stem).strip("-") or "run")
    return Spec(**values, warnings=findings.of("warning"), file=file, sources=findings.sources, tree=tree)


def _check_version(tree: Entries, findings: Findings) -> None:
    """SpecError: the spec is for a later version; what else is wrong with it cannot be known."""
    version = tree.entries.get("version")
    if isinstance(version, Scalar) and type(version.value) is int and version.value > VERSION:
        findings.report(
            version.origin,
            "version",
            f"the spec is written for version {version.value} of the language, and this sslreg reads version {VERSION}",
            "update sslreg, or write the spec for the version that it reads",
        )
        raise findings.stop()


def _a(title: str) -> str:
    return f"an {title}" if title[0] in "aeiou" else f"a {title}"


def _home(key: str) -> str | None:
    """Where a key belongs that is written at the top."""
    sections = {name: parameter.section for name, parameter in fields_of(Sections).items() if parameter.section}
    homes = [name for name, section in sections.items() if key in section.keys]
    return f"it belongs under {' or '.join(f'`{name}`' for name in homes)}" if homes else None


class _Reader:
    """Reads a tree by tables of what may be written. dropped: what is left out of the spec as inherited by mistake."""

    def __init__(self, catalog: Catalog, findings: Findings) -> None:
        self._catalogue = catalog
        self._findings = findings
        self.dropped: set[At] = set()
        self._broken = 0

    def keys(self, node: Entries, allowed: Mapping[str, Parameter], at: At, owner: str) -> dict[str, Any]:
        """The values of a mapping's keys, as far as they are right. owner: what the mapping is, for messages."""
        values = {}
        unknown = []
        for key, child in node.entries.items():
            parameter = allowed.get(key)
            if parameter is None or parameter.from_run:
                unknown.append(key)
                self._unknown(node, key, allowed, at, owner)
            elif (value := self._value(child, parameter, (*at, key))) is not BAD:
                values[key] = value
        for name, parameter in allowed.items():
            given = name in node.entries or parameter.from_run or get_close_matches(name, unknown)
            if parameter.required and not given:
                hint = parameter.description or (f"write {name}: {{use: …}}" if parameter.slot else None)
                self._findings.report(node.origin, "missing-key", f"{owner} needs {name!r}", hint)
        return values

    def _unknown(self, node: Entries, key: str, allowed: Mapping[str, Parameter], at: At, owner: str) -> None:
        origin = node.keys[key]
        if key in node.inherited:
            self._findings.report(
                origin,
                "inherited-key",
                f"{key!r} is left out: it was written for {node.inherited[key]!r}, and {owner} does not take it",
                severity="warning",
            )
            self.dropped.add((*at, key))
            return
        if key in allowed:
            self._findings.report(origin, "unknown-key", f"{owner} gets {key!r} from the run", "leave it out")
            return
        writable = [name for name, parameter in allowed.items() if not parameter.from_run]
        hint = (at == ("trainer",) and OWNED.get(key)) or (not at and _home(key)) or did_you_mean(key, writable)
        self._findings.report(origin, "unknown-key", f"{owner} takes no {key!r}", hint)

    def _value(self, node: Node, parameter: Parameter, at: At) -> Any:
        """The value of a key; `BAD` where anything in it is wrong, so that nothing is concluded from it."""
        before = self._trouble
        if place := parameter.slot or parameter.section:
            value = self._nested(node, place, at)
        else:
            value = BAD if self._is_broken(node) else read_value(node, parameter, at, self._findings)
        return value if self._trouble == before else BAD

    @property
    def _trouble(self) -> int:
        return self._findings.errors + self._broken

    def _is_broken(self, node: Node) -> bool:
        """Whether a value, or a part of it, could not be made out, which has been reported."""
        broken = any(isinstance(part, Scalar) and part.broken for _, part in walk(node))
        self._broken += broken
        return broken

    def _nested(self, node: Node, place: Slot | Section, at: At) -> Any:
        """What is in a slot or a section."""
        if place.optional and isinstance(node, Scalar) and node.value is None:
            return None
        if not place.many:
            return self._one(node, place, at)
        if isinstance(node, Items):
            found = [self._one(item, place, (*at, number)) for number, item in enumerate(node.items)]
            return tuple(value for value in found if value is not BAD)
        if not self._is_broken(node):
            hint = "one alone is a list too: [{…}]" if isinstance(node, Entries) else None
            self._findings.report(
                node.origin, "not-a-list", f"{dotted(at)} is {shown(node)}; it should be a list", hint
            )
        return BAD

    def _one(self, node: Node, place: Slot | Section, at: At) -> Any:
        if isinstance(node, Entries):
            return self._component(node, place.kind, at) if isinstance(place, Slot) else self._section(node, place, at)
        if self._is_broken(node):
            return BAD
        message = f"{dotted(at)} is {shown(node)}; it should be "
        if isinstance(place, Section):
            self._findings.report(node.origin, "not-a-mapping", message + "a mapping")
            return BAD
        hint = f"write {{use: {node.value}}}" if isinstance(node, Scalar) and isinstance(node.value, str) else None
        self._findings.report(
            node.origin, "not-a-component", f"{message}{_a(KINDS[place.kind].title)}, a mapping with `use:`", hint
        )
        return BAD

    def _section(self, node: Entries, section: Section, at: At) -> Any:
        values = self.keys(node, section.keys, at, dotted(at))
        complete = all(name in values for name, parameter in section.keys.items() if parameter.required)
        return section.build(**values) if complete else BAD

    def _component(self, node: Entries, kind: str, at: At) -> Any:
        use = node.entries.get("use")
        parameters = self._find(node, use, kind, at)
        if use is None or parameters is None:
            return BAD
        owner = f"{KINDS[kind].title} {plain(use)!r}"
        own = keys_of(kind)
        rest = replace(node, entries={key: value for key, value in node.entries.items() if key != "use"})
        values = self.keys(rest, {**parameters, **own}, at, owner)
        params = {
            # The assembly builds lists of what is nested.
            name: list(value) if parameters[name].slot and isinstance(value, tuple) else value
            for name, value in values.items()
            if name not in own
        }
        keys = {name: values.get(name, parameter.default) for name, parameter in own.items()}
        return ComponentSpec(kind, plain(use), parameters.of, params, keys, at)

    def _find(self, node: Entries, use: Node | None, kind: str, at: At) -> Parameters | None:
        """The parameters of the component that `use` names."""
        title = KINDS[kind].title
        names = {info.name for info in self._catalogue.of_kind(kind)}
        if use is None:
            key = next((key for key in node.entries if key in names), None)
            hint = f"write {{use: {key}, …}}" if key else did_you_mean("", names)
            self._findings.report(node.origin, "missing-use", f"{dotted(at)} lacks `use:`, {_a(title)}'s name", hint)
            return None
        if self._is_broken(use):
            return None
        if not isinstance(use, Scalar) or not isinstance(use.value, str):
            self._findings.report(use.origin, "wrong-type", f"use is {shown(use)}; it should be {_a(title)}'s name")
            return None
        try:
            parameters = parameters_of(self._catalogue.get(kind, use.value))
        except UserError as error:
            for diagnostic in error.diagnostics:
                message = diagnostic.message
                if use.environment:
                    message = message.replace(repr(use.value), use.environment)
                self._findings.add(use.origin, replace(diagnostic, message=message))
            return None
        if parameters.unwritable:
            self._findings.report(
                use.origin,
                "unusable-component",
                f"{title} {use.value!r} needs {', '.join(parameters.unwritable)}, for which a spec has no form",
            )
            return None
        return parameters
