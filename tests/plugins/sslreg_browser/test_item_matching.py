"""Matching of the items of a list with those that it had before."""

from __future__ import annotations

from typing import Any

import pytest

from sslreg_browser.item_matching import make_key, match_items

CROP, SMALL_CROP = {"use": "crop", "size": 16, "p": 1.0}, {"use": "crop", "size": 8, "p": 0.5}
FLIP = {"use": "flip"}


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ([CROP, FLIP], [FLIP, CROP], [1, 0]),
        ([FLIP, FLIP], [CROP, FLIP, FLIP], [None, 0, 1]),
        ([CROP, SMALL_CROP], [{**SMALL_CROP, "size": 9}, CROP], [1, 0]),
        ([CROP, SMALL_CROP], [{**SMALL_CROP, "size": 9}], [1]),
        ([CROP], [FLIP, {"use": "crop"}, {"use": "crop"}], [None, 0, None]),
        ([{"augment": [CROP]}, {"augment": [FLIP]}], [{"augment": [FLIP, CROP, SMALL_CROP]}], [0]),
        ([{"augment": [CROP]}, {"augment": [FLIP]}], [{"augment": [FLIP, SMALL_CROP]}], [1]),
        (["flip", CROP], ["crop", "flip"], [None, 0]),
    ],
)
def test_items_are_found_again(before: list[Any], after: list[Any], found: list[int | None]) -> None:
    assert match_items(before, after) == found


def test_whole_numbers_are_equal_in_both_forms() -> None:
    assert make_key({"p": 1.0, "sizes": [8, 9.0]}) == make_key({"p": 1, "sizes": [8.0, 9]}) != make_key({"p": 1.5})
