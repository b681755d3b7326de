"""YAML 1.2's core schema, which PyYAML lacks: what a plain scalar means, and writing what reads back the same."""

from __future__ import annotations

import re
from typing import Any

import yaml

Value = bool | int | float | str | None

_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")

#: Integers with more digits have no use here and cost quadratic time to read.
_DIGITS = 400


def resolve(text: str) -> Value:
    """What a plain scalar means. ValueError: a number with an absurd number of digits."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        if len(text) > _DIGITS:
            raise ValueError(f"a number of {len(text)} digits")
        # Base 0 refuses 010, which YAML 1.2 reads as ten.
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INFINITE.fullmatch(text):
        return float(text.replace(".", ""))
    return text


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_text(self, text: str) -> yaml.ScalarNode:
        # PyYAML takes these for line breaks, which quotes other than double ones fold into spaces.
        breaks = any(character in text for character in "\x85\u2028\u2029")
        return self.represent_scalar("tag:yaml.org,2002:str", text, style='"' if breaks else None)


_Dumper.add_representer(str, _Dumper.represent_text)

# A string that either version of YAML takes for something else is quoted.
_Dumper.yaml_implicit_resolvers = {
    first: list(found) for first, found in yaml.SafeDumper.yaml_implicit_resolvers.items()
}
for _tag, _pattern in (("int", _INT), ("float", _FLOAT)):
    _whole = re.compile(rf"(?:{_pattern.pattern})\Z")
    _Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _whole, list("-+.0123456789"))


def dump(data: Any) -> str:
    """Plain data as YAML that `resolve` and YAML 1.1 readers take for the same; short collections on one line."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)


def load(text: str) -> Any:
    """What `dump` wrote, as plain data: quick, and without the places that a spec's reader keeps.

    yaml.YAMLError: it is no YAML; ValueError: it holds what `dump` never writes.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return _plain(yaml.compose(text, Loader=loader))


def _plain(node: yaml.Node | None) -> Any:
    match node:
        case yaml.MappingNode():
            return {_key(key): _plain(value) for key, value in node.value}
        case yaml.SequenceNode():
            return [_plain(item) for item in node.value]
        case yaml.ScalarNode():
            return node.value if node.style in ('"', "'", "|", ">") else resolve(node.value)
    return None


def _key(node: yaml.Node) -> Any:
    if not isinstance(node, yaml.ScalarNode):
        raise ValueError("a key is a collection")
    return _plain(node)
