"""The page on specs is complete and correct."""

import ast
import re
from pathlib import Path

import pytest
import yaml

import sslreg.spec
from sslreg.registry import installed
from sslreg.spec import parse_spec
from sslreg.spec.parameters import section_keys
from sslreg.spec.sections import Sections

GUIDE = (Path(__file__).parents[2] / "docs/spec.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)


@pytest.mark.parametrize("example", [text for text in EXAMPLES if "version:" in text])
def test_every_complete_example_is_valid(example, monkeypatch):
    monkeypatch.setenv("PHOTOS", "photos")

    assert parse_spec(example, catalog=installed())


def test_every_section_is_described():
    table = GUIDE.split("| key | meaning | default |")[1].split("\n\n")[0]

    for name, parameter in section_keys(Sections).items():
        inner = parameter.section.keys if parameter.section and name != "trainer" else ()
        missing = [key for key in inner or [name] if f"`{key}`" not in table and f"`{name}.{key}`" not in table]
        assert not missing, name


def codes():
    """The codes of diagnostics in the package: the argument after the location, or the keyword."""
    for path in Path(sslreg.spec.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", "")
                arguments = node.args[1:2] if name == "report" else node.args[:1] if name == "_abort" else []
                arguments += [keyword.value for keyword in node.keywords if keyword.arg == "code"]
                for argument in arguments:
                    yield from (inner.value for inner in ast.walk(argument) if isinstance(inner, ast.Constant))


def test_every_code_is_described():
    table = GUIDE.split("| code | what is wrong |")[1]
    described = {
        code for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for code in re.findall("`(.*?)`", row)
    }

    # The registry reports the other three.
    assert described == {*codes(), "ambiguous-component", "broken-component", "unknown-component"}


def test_the_corpus_covers_every_code():
    corpus = yaml.safe_load((Path(__file__).parent / "broken_specs.yaml").read_text())
    said = {finding.split()[0] for case in corpus for finding in case["says"]}

    # The corpus cannot express these; other tests cover them.
    assert {*codes()} - said == {"encoding", "unreadable", "invariance", "inherited-key", "accumulation", "command"}
