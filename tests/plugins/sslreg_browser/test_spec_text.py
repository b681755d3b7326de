"""Edits of the text of a spec."""

from __future__ import annotations

import copy
from typing import Any

import pytest

import sslreg
from sslreg_browser.spec_text import find_path, rename, replace_views

TEXT = """\
# A comment at the top.
version: 1
name: first  # the name
views:
  # Two crops.
  - repeat: 2
    augment:
      # Crops teach shape.
      - {use: resize, size: 16}  # small
      - use: one_of
        augment:
          - {use: horizontal_flip}
          - {use: solarize, threshold: 1.0}
# The model.
model: {use: simclr, backbone: {use: convnet}}
expect: {knn_top1: 0.9, source: us}
loss: {use: nt_xent}
"""


def views_of(text: str) -> list[Any]:
    views: list[Any] = sslreg.load_yaml(text)["views"]
    return views


def test_only_the_changed_operation_is_written_anew() -> None:
    views = views_of(TEXT)
    changed = copy.deepcopy(views)
    changed[0]["augment"][0]["size"] = 20
    assert replace_views(TEXT, views, changed) == TEXT.replace("size: 16", "size: 20")


def test_operations_keep_their_comments_when_they_move() -> None:
    views = views_of(TEXT)
    changed = copy.deepcopy(views)
    changed[0]["augment"].reverse()
    result = replace_views(TEXT, views, changed)
    assert result is not None
    assert views_of(result) == changed
    assert "# Crops teach shape.\n      - {use: resize, size: 16}  # small\n# The model." in result
    assert "  # Two crops.\n  - repeat: 2" in result


def test_numbers_from_json_count_as_the_same() -> None:
    views = views_of(TEXT)
    changed = copy.deepcopy(views)
    changed[0]["augment"][1]["augment"][1]["threshold"] = 1
    changed[0]["repeat"] = 3
    assert replace_views(TEXT, views, changed) == TEXT.replace("repeat: 2", "repeat: 3")


@pytest.mark.parametrize("more", ["", "\n# The end.\n"])
def test_inherited_views_are_added(more: str) -> None:
    text = f"extends: digits-simclr\nversion: 1{more}"
    views = [{"augment": [{"use": "resize", "size": 16}]}]
    result = replace_views(text, [], views)
    assert result is not None
    assert sslreg.load_yaml(result) == {"extends": "digits-simclr", "version": 1, "views": views}


def test_several_kinds_of_views_and_long_containers_are_written() -> None:
    blur = {"use": "gaussian_blur", "sigma": [0.1, 2.0], "p": 0.25}
    nested = {"use": "random_order", "p": 0.5, "augment": [blur, {"use": "random_apply", "augment": [blur] * 4}, blur]}
    views = [{"as": "global", "repeat": 2, "augment": [nested]}, {"as": "local", "augment": []}]
    result = replace_views(TEXT, views_of(TEXT), views)
    assert result is not None
    assert views_of(result) == views
    assert max(map(len, result.splitlines())) <= 120


def test_views_with_an_alias_are_written_anew() -> None:
    text = TEXT.replace("- {use: resize", "- &small {use: resize").replace("- {use: horizontal_flip}", "- *small")
    views = [{"repeat": 2, "augment": [{"use": "resize", "size": 16}]}]
    result = replace_views(text, [{"repeat": 2, "augment": [{"use": "resize", "size": 16}] * 2}], views)
    assert result is None or views_of(result) == views


def test_a_spec_on_one_line_cannot_be_edited() -> None:
    assert replace_views("{version: 1, views: []}", [], [{"augment": []}]) is None


def test_a_renamed_spec_expects_no_metrics() -> None:
    expected = TEXT.replace("name: first", "name: second").replace("expect: {knn_top1: 0.9, source: us}\n", "")
    assert rename(TEXT, "second") == expected
    assert rename("version: 1\nseed: 0\n", "two") == "version: 1\nseed: 0\nname: two\n"


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("size: 16", ("views", 0, "augment", 0, "size")),
        ("use: one_of", ("views", 0, "augment", 1, "use")),
        ("threshold", ("views", 0, "augment", 1, "augment", 1, "threshold")),
        ("{use: simclr", ("model",)),
        ("# A comment", ()),
    ],
)
def test_a_position_leads_to_the_innermost_value(value: str, path: tuple[str | int, ...]) -> None:
    before = TEXT[: TEXT.index(value)]
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    assert find_path(TEXT, line, column) == path
