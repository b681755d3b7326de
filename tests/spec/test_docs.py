"""The page on specs is complete and correct."""

import ast
import re
from pathlib import Path

import pytest
import yaml

from sslreg.registry import installed
from sslreg.spec import parse_spec
from sslreg.spec.parameters import section_keys
from sslreg.spec.sections import Sections

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/spec.md").read_text()
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


def find_codes(*packages: str) -> set[str]:
    """The codes of diagnostics: the argument after the location, or the keyword."""
    codes = set()
    for path in (path for package in packages for path in (ROOT / "sslreg" / package).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", "")
                arguments = node.args[1:2] if name in ("report", "error", "warning") else []
                arguments += node.args[:1] if name == "_abort" else []
                arguments += [keyword.value for keyword in node.keywords if keyword.arg == "code"]
                constants = [inner for argument in arguments for inner in ast.walk(argument)]
                codes |= {inner.value for inner in constants if isinstance(inner, ast.Constant)}
    return codes


def test_every_code_is_described():
    tables = GUIDE.split("## Error codes")[1].split("\n## ")[0]
    described = {
        code for row in re.findall(r"^\| (`.*?) \|", tables, re.MULTILINE) for code in re.findall("`(.*?)`", row)
    }

    # The registry reports the other three.
    registry = {"ambiguous-component", "broken-component", "unknown-component"}
    assert described == find_codes("spec", "assembly") | registry


def test_the_corpus_covers_every_code():
    corpus = yaml.safe_load((Path(__file__).parent / "broken_specs.yaml").read_text())
    said = {finding.split()[0] for case in corpus for finding in case["says"]}

    # The corpus cannot express these; other tests cover them.
    assert find_codes("spec") - said == {
        "encoding",
        "unreadable",
        "invariance",
        "inherited-key",
        "accumulation",
        "command",
    }
