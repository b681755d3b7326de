"""Plain scalars follow YAML 1.2, and dumped data reads back the same."""

import math

import pytest
import yaml
from hypothesis import given, strategies as st

from sslreg.spec.diagnostics import DiagnosticCollector
from sslreg.spec.tree import Location, to_python
from sslreg.spec.yaml_dump import dump_yaml, load_yaml
from sslreg.spec.yaml_parser import parse
from sslreg.spec.yaml_scalars import parse_scalar


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        ("-.5", -0.5),
        ("1.", 1.0),
        ("0o17", 15),
        ("0x1F", 31),
        ("010", 10),
        ("+7", 7),
        ("-0", 0),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("Null", None),
        # Text, although YAML 1.1 has it otherwise.
        ("no", "no"),
        ("on", "on"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2020-01-01", "2020-01-01"),
        ("0b11", "0b11"),
        ("-0x1", "-0x1"),
        ("tRUE", "tRUE"),
        ("1e", "1e"),
        (".", "."),
        ("inf", "inf"),
    ],
)
def test_plain_scalars_follow_yaml_12(text, value):
    found = parse_scalar(text)

    assert found == value
    assert type(found) is type(value)


def test_nan_is_a_float():
    assert math.isnan(parse_scalar(".nan"))


@pytest.mark.parametrize(
    "text", ["0o17", "1e-3", "no", "1_000", "12:30", "0x1F", "null", "2020-01-01", "", " a", "a\nb", "é"]
)
def test_text_that_looks_like_another_type_is_quoted(text):
    written = dump_yaml({"a": text})

    assert read(written) == {"a": text}
    assert yaml.safe_load(written) == {"a": text}


keys = st.text("abc09_", min_size=1)
texts = st.text(st.characters(codec="utf-8"))
data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
)


@given(data)
def test_dumped_data_parses_as_the_same(value):
    assert read(dump_yaml({"a": value})) == {"a": value}


def read(text):
    diagnostics = DiagnosticCollector()
    parsed = parse(text, Location("spec.yaml", 1, 1), diagnostics)
    diagnostics.raise_errors()
    return to_python(parsed)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_dumped_data_loads_as_the_same(data):
    assert load_yaml(dump_yaml(data)) == data
