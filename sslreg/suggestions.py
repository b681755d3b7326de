"""Hints for misspelled names: "did you mean …?"."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

#: Up to this many known names are listed when none of them resembles the unknown one.
MAX_LISTED = 12


def did_you_mean(unknown: str, known: Iterable[str]) -> str | None:
    """Return a hint for an unknown name, or None if there is nothing useful to suggest.

    The hint names up to three similar names. If no name is similar, it lists all known names, provided they are few.
    """
    known = sorted(known)
    similar = difflib.get_close_matches(unknown, known, n=3, cutoff=0.6)
    if similar:
        return f"did you mean {' or '.join(repr(name) for name in similar)}?"
    if 0 < len(known) <= MAX_LISTED:
        return f"available: {', '.join(known)}"
    return None
