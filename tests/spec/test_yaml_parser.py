"""Text becomes a tree in which everything knows its place."""

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


def test_values_and_keys_know_where_they_are_written():
    parsed = tree("a: 1\nb:\n  - {c: [x, y]}\n")

    assert find_nearest(parsed, ("b", 0, "c", 1)).location == Location("spec.yaml", 3, 13)
    assert find_nearest(parsed, ("b", 0)).location == Location("spec.yaml", 3, 5)
    assert parsed.key_locations["b"] == Location("spec.yaml", 2, 1)


def test_a_place_that_is_not_there_is_as_far_as_the_way_goes():
    parsed = tree("a: {b: 1}")

    assert find_nearest(parsed, ("a", "c", 0)) == parsed.entries["a"]


def test_text_inside_of_something_is_placed_in_that():
    parsed = tree("{a: 1,\n b: 2}", Location("--set", 3, 7))

    assert parsed.entries["a"].location == Location("--set", 3, 11)
    assert parsed.entries["b"].location == Location("--set", 4, 5)


def test_every_node_is_walked_parents_first():
    assert [at for at, _ in walk(tree("a: [1, {b: 2}]"))] == [(), ("a",), ("a", 0), ("a", 1), ("a", 1, "b")]


@pytest.mark.parametrize("text", ["", "# a comment\n", "---\n", "---\n...\n"])
def test_nothing_is_no_tree(text):
    parsed = parse(text, START, DiagnosticCollector())

    assert parsed is None or parsed == ScalarNode(None, parsed.location)


def test_quotes_make_text_of_anything():
    assert to_python(tree("{a: '1', b: \"true\", c: 'null'}")) == {"a": "1", "b": "true", "c": "null"}


def test_keys_are_text_whatever_they_look_like():
    assert to_python(tree("{1: a, true: b, no: c, 0x10: d}")) == {"1": "a", "true": "b", "no": "c", "0x10": "d"}


def test_an_alias_stands_for_what_was_anchored():
    assert to_python(tree("a: &x {b: [1]}\nc: *x")) == {"a": {"b": [1]}, "c": {"b": [1]}}


def test_all_mistakes_that_can_be_passed_over_are_reported_together():
    with pytest.raises(SpecError) as raised:
        tree("a: !x 1\na: 2\nb: *c\n? [d]\n: 3\n")

    assert [found.code for found in raised.value.diagnostics] == ["tag", "duplicate-key", "alias", "key"]


def test_a_byte_order_mark_is_passed_over(tmp_path):
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
def test_another_encoding_is_named_where_it_shows(tmp_path, data, place, message):
    (tmp_path / "spec.yaml").write_bytes(data)

    with pytest.raises(SpecError, match=message) as raised:
        read_text(tmp_path / "spec.yaml", DiagnosticCollector())

    (found,) = raised.value.diagnostics
    assert (found.code, found.line, found.column) == ("encoding", *place)
    assert found.hint == "save it as UTF-8"


def test_an_image_in_place_of_a_spec_is_called_no_text(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")

    with pytest.raises(SpecError) as raised:
        read_text(tmp_path / "a.png", DiagnosticCollector())

    assert raised.value.diagnostics[0].hint == "this is not a text file; name a spec"


def test_a_file_that_cannot_be_read_is_an_error_of_the_user(tmp_path):
    with pytest.raises(UserError, match="Is a directory"):
        read_text(tmp_path, DiagnosticCollector())


@given(st.text(st.sampled_from("ab:-,[]{}&*!#|>'\"%@` \n\t?01.~\\<="), max_size=40))
def test_any_text_is_a_tree_or_an_error_at_a_place(text):
    diagnostics = DiagnosticCollector()
    with suppress(SpecError):
        parse(text, START, diagnostics)
    assert all(found.line and found.column for found in diagnostics.select("error"))
