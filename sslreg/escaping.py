"""Escapes for text that comes from outside, such as file names, and that a person reads. Imports nothing heavy."""

from __future__ import annotations

import re

#: Control characters (C0 without tab and line feed, DEL, C1), line separators, characters that reorder text, a space
#: without width, and surrogates, which Python uses for the bytes of file names that are not UTF-8.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_MARKDOWN = re.compile(r"[\\`*\[\]<>|&~]|(?<!\w)_|_(?!\w)")


def escape_text(text: str) -> str:
    r"""Escape characters that are not text, such as ``\x1b``; the result can be encoded as UTF-8.

    A byte of a file name that is not UTF-8 is escaped as that byte: ``caf\xe9.png``.
    """
    return _UNSAFE.sub(_escape_character, text)


def _escape_character(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # an undecodable byte
        code -= 0xDC00
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"


def escape_markdown(text: str) -> str:
    """Escape text for a line of Markdown, in which it then has no markup."""
    return _MARKDOWN.sub(r"\\\g<0>", " ".join(escape_text(text).split()))


def quote_code(text: str) -> str:
    """Quote text as code within a line of Markdown."""
    text = " ".join(escape_text(text).split())
    fence = "`" * (_longest_run(text) + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}"


def fence_code(text: str, language: str) -> str:
    """Return a block of code in Markdown."""
    text = escape_text(text)
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _longest_run(text: str) -> int:
    """Return the length of the longest run of backticks."""
    return max(map(len, re.findall("`+", text)), default=0)
