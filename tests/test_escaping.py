"""Escapes of text from outside."""

from __future__ import annotations

import os

import pytest

from sslreg.escaping import escape_markdown, escape_text, fence_code, quote_code


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("a\rb\x08\x7f\x00", r"a\x0db\x08\x7f\x00"),
        ("\x9b31m\x85", r"\x9b31m\x85"),
        ("gpj.\u202ecod.exe\u2066", r"gpj.\u202ecod.exe\u2066"),
        (os.fsdecode(b"caf\xe9.png"), r"caf\xe9.png"),
        ("\ud83d", r"\ud83d"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("caf\u00e9 \U0001f468\u200d\U0001f469 \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", None),
    ],
)
def test_only_characters_that_are_no_text_are_escaped(text: str, escaped: str | None) -> None:
    assert escape_text(text) == (text if escaped is None else escaped)
    assert escape_text(text).encode()


def test_every_character_can_be_encoded_after_escaping() -> None:
    text = escape_text("".join(map(chr, range(0x110000))))
    assert text.encode().decode() == text
    assert not any(ord(character) < 32 and character not in "\n\t" for character in text)


def test_markdown_is_escaped() -> None:
    assert escape_markdown("a*b*|<b>_c_[d](e)`\nf") == r"a\*b\*\|\<b\>\_c\_\[d\](e)\` f"
    assert escape_markdown("knn_top1") == "knn_top1"


def test_code_is_fenced_by_more_backticks_than_it_contains() -> None:
    assert quote_code("a``b\nc") == "```a``b c```"
    assert quote_code("`a") == "`` `a ``"
    assert fence_code("x\n````\ny", "yaml") == "`````yaml\nx\n````\ny\n`````"
    assert fence_code("x", "yaml") == "```yaml\nx\n```"
