"""Dumps plain data as YAML that reads back the same, and loads it again."""

from __future__ import annotations

import math
import re
from typing import Any

import yaml

from sslreg.spec.yaml_scalars import FLOAT, INTEGER, parse_scalar


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_text(self, text: str) -> yaml.ScalarNode:
        # PyYAML takes these characters for line breaks. Only double quotes keep them from being folded into spaces.
        breaks = any(character in text for character in "\x85\u2028\u2029")
        return self.represent_scalar("tag:yaml.org,2002:str", text, style='"' if breaks else None)


_Dumper.add_representer(str, _Dumper.represent_text)

# Quote a string that either version of YAML takes for another type.
_Dumper.yaml_implicit_resolvers = {
    first: list(resolvers) for first, resolvers in yaml.SafeDumper.yaml_implicit_resolvers.items()
}
for _tag, _pattern in (("int", INTEGER), ("float", FLOAT)):
    _whole = re.compile(rf"(?:{_pattern.pattern})\Z")
    _Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _whole, list("-+.0123456789"))


def dump_yaml(data: Any, *, flow: bool = False) -> str:
    """Dump plain data as YAML that versions 1.1 and 1.2 read alike.

    Args:
        data: mappings, lists and scalars.
        flow: whether to write everything on one line; by default, only short collections are.
    """
    style, width = (True, math.inf) if flow else (None, 110)
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=style, width=width)


def load_yaml(text: str) -> Any:
    """Load plain data from YAML 1.2. This is faster than parsing a spec, since no locations are kept.

    Raises:
        yaml.YAMLError: the text is not YAML.
        ValueError: a key is a collection, or an integer has more than 400 digits.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return _to_python(yaml.compose(text, Loader=loader))


def _to_python(node: yaml.Node | None) -> Any:
    match node:
        case yaml.MappingNode():
            return {_key(key): _to_python(value) for key, value in node.value}
        case yaml.SequenceNode():
            return [_to_python(item) for item in node.value]
        case yaml.ScalarNode():
            return node.value if node.style in ('"', "'", "|", ">") else parse_scalar(node.value)
    return None


def _key(node: yaml.Node) -> Any:
    if not isinstance(node, yaml.ScalarNode):
        raise ValueError("a key is a collection")
    return _to_python(node)
