"""Hints for misspelled names."""

from __future__ import annotations

import pytest

from sslreg.suggestions import did_you_mean

MANY = [f"name_{number}" for number in range(13)]


@pytest.mark.parametrize(
    ("unknown", "known", "hint"),
    [
        ("temprature", ["temperature", "width"], "did you mean 'temperature'?"),
        ("nt_xnet", ["nt_xent", "nt_xent2"], "did you mean 'nt_xent' or 'nt_xent2'?"),
        ("x", ["width", "depth"], "available: depth, width"),
        ("x", MANY, None),
        ("x", [], None),
    ],
)
def test_similar_names_are_suggested_and_few_names_are_listed(unknown: str, known: list[str], hint: str | None) -> None:
    assert did_you_mean(unknown, known) == hint
