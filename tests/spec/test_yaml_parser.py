"""Text is parsed into a tree with locations."""

from contextlib import suppress

import pytest
from hypothesis import given, strategies as st

from sslreg.errors import UserError
from sslreg.spec.diagnostics import DiagnosticCollector, SpecError
from sslreg.spec.tree import Location, MappingNode, ScalarNode, find_nearest, to_python, walk
from sslreg.spec.yaml_parser import parse, read_text

START = Location("spec.yaml", 1, 1)


def tree(text: str, start: Location = START) -> MappingNode:
    diagnostics = DiagnosticCollector()
    parsed = parse(text, start, diagnostics)
    diagnostics.raise_errors()
    assert isinstance(parsed, MappingNode)
    return parsed


def test_values_and_keys_have_their_locations():
    parsed = tree("a: 1\nb:\n  - {c: [x, y]}\n")

    assert find_nearest(parsed, ("b", 0, "c", 1)).location == Location("spec.yaml", 3, 13)
    assert find_nearest(parsed, ("b", 0)).location == Location("spec.yaml", 3, 5)
    assert parsed.key_locations["b"] == Location("spec.yaml", 2, 1)


def test_find_nearest_stops_at_the_last_existing_node():
    parsed = tree("a: {b: 1}")

    assert find_nearest(parsed, ("a", "c", 0)) == parsed.entries["a"]


def test_the_locations_of_a_part_are_those_in_the_file():
    parsed = tree("{a: 1,\n b: 2}", Location("--set", 3, 7))

    assert parsed.entries["a"].location == Location("--set", 3, 11)
    assert parsed.entries["b"].location == Location("--set", 4, 5)


def test_every_node_is_walked_parents_first():
    assert [at for at, _ in walk(tree("a: [1, {b: 2}]"))] == [(), ("a",), ("a", 0), ("a", 1), ("a", 1, "b")]


@pytest.mark.parametrize("text", ["", "# a comment\n", "---\n", "---\n...\n"])
def test_an_empty_text_has_no_tree(text):
    parsed = parse(text, START, DiagnosticCollector())

    assert parsed is None or parsed == ScalarNode(None, parsed.location)


def test_quoted_values_are_text():
    assert to_python(tree("{a: '1', b: \"true\", c: 'null'}")) == {"a": "1", "b": "true", "c": "null"}


def test_keys_are_always_text():
    assert to_python(tree("{1: a, true: b, no: c, 0x10: d}")) == {"1": "a", "true": "b", "no": "c", "0x10": "d"}


def test_an_alias_is_replaced_by_its_anchor():
    assert to_python(tree("a: &x {b: [1]}\nc: *x")) == {"a": {"b": [1]}, "c": {"b": [1]}}


def test_several_mistakes_are_reported_together():
    with pytest.raises(SpecError) as raised:
        tree("a: !x 1\na: 2\nb: *c\n? [d]\n: 3\n")

    assert [found.code for found in raised.value.diagnostics] == ["tag", "duplicate-key", "alias", "key"]


def test_a_byte_order_mark_is_ignored(tmp_path):
    (tmp_path / "spec.yaml").write_bytes("\ufeffa: ü".encode())

    assert read_text(tmp_path / "spec.yaml", DiagnosticCollector()) == "a: ü"


@pytest.mark.parametrize(
    ("data", "place", "message"),
    [
        ("a: 1\nb: ü\n".encode("latin-1"), (2, 4), "0xfc is not UTF-8"),
        ("ä: 1\nb: ".encode() + b"\xff", (2, 4), "0xff is not UTF-8"),
        ("a: 1\n".encode("utf-16"), (1, 1), "UTF-16"),
    ],
)
def test_another_encoding_is_reported_at_the_first_invalid_byte(tmp_path, data, place, message):
    (tmp_path / "spec.yaml").write_bytes(data)

    with pytest.raises(SpecError, match=message) as raised:
        read_text(tmp_path / "spec.yaml", DiagnosticCollector())

    (found,) = raised.value.diagnostics
    assert (found.code, found.line, found.column) == ("encoding", *place)
    assert found.hint == "save it as UTF-8"


def test_a_binary_file_is_reported_as_such(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")

    with pytest.raises(SpecError) as raised:
        read_text(tmp_path / "a.png", DiagnosticCollector())

    assert raised.value.diagnostics[0].hint == "this is not a text file; name a spec"


def test_an_unreadable_file_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match="Is a directory"):
        read_text(tmp_path, DiagnosticCollector())


@given(st.text(st.sampled_from("ab:-,[]{}&*!#|>'\"%@` \n\t?01.~\\<="), max_size=40))
def test_any_text_gives_a_tree_or_a_located_error(text):
    diagnostics = DiagnosticCollector()
    with suppress(SpecError):
        parse(text, START, diagnostics)
    assert all(found.line and found.column for found in diagnostics.select("error"))
