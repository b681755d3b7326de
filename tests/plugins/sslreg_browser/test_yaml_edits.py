"""Edits of a YAML text that keep its comments."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

import sslreg
from sslreg_browser.yaml_edits import edit

TEXT = """\
# The top.

version: 1  # the version
views:  # what the model sees
  # First view.
  - repeat: 2  # twice
    # Above the list.
    augment:
      # About crop, line one.
      #   line two
      - {use: crop, size: 16}  # end of crop

      - use: jitter  # end of jitter
        # Above p.
        p: 0.8  # end of p
        hue: 0.1
      # About blur.
      - {use: blur, sigma: [0.1, 2.0],  # in flow
         p: 0.5}  # end of blur
      # About one_of.
      - use: one_of
        augment:
          # About flip.
          - {use: flip}  # end of flip
          - {use: turn, p: 1}
  # Second view.
  - augment: [{use: crop,  size: 8}, {use: "flip", p: .5}]  # short
    place: host
# The model.
model: {use: simclr}
# The end.
"""
VIEWS: list[Any] = sslreg.load_yaml(TEXT)["views"]


def change(*keys: str | int, to: Any) -> list[Any]:
    """Return the views with another value at a path; ``None`` removes it."""
    views = copy.deepcopy(VIEWS)
    owner: Any = views
    for key in keys[:-1]:
        owner = owner[key]
    if to is None:
        del owner[keys[-1]]
    else:
        owner[keys[-1]] = to
    return views


OPERATIONS = VIEWS[0]["augment"]


@pytest.mark.parametrize(
    ("views", "old", "new"),
    [
        (VIEWS, "", ""),
        (change(0, "augment", 0, "size", to=20), "size: 16", "size: 20"),
        (change(0, "augment", 1, "p", to=0.5), "p: 0.8", "p: 0.5"),
        (change(0, "augment", 1, "p", to=None), "        # Above p.\n        p: 0.8  # end of p\n", ""),
        (
            change(0, "augment", 1, to={"use": "jitter", "p": 0.8, "hue": 0.1, "saturation": 0.4}),
            "        hue: 0.1\n",
            "        hue: 0.1\n        saturation: 0.4\n",
        ),
        (change(0, "augment", 2, "p", to=1.5), "p: 0.5}", "p: 1.5}"),
        (change(0, "augment", 2, "sigma", 1, to=3.0), "[0.1, 2.0]", "[0.1, 3.0]"),
        (change(0, "augment", 2, "p", to=None), ",  # in flow\n         p: 0.5}", "}"),
        (change(0, "augment", 3, "augment", 0, "p", to=0.1), "{use: flip}", "{use: flip, p: 0.1}"),
        (change(0, "augment", 3, "augment", 1, to=None), "          - {use: turn, p: 1}\n", ""),
        (
            change(0, "augment", 3, "augment", to=[]),
            "augment:\n          # About flip.\n          - {use: flip}  # end of flip\n"
            "          - {use: turn, p: 1}\n",
            "augment: []\n",
        ),
        (change(0, "repeat", to=None), "- repeat: 2  # twice\n    # Above", "- # Above"),
        (change(0, "repeat", to=3), "repeat: 2", "repeat: 3"),
        (change(0, "as", to="global"), "{use: turn, p: 1}\n", "{use: turn, p: 1}\n    as: global\n"),
        (change(1, "augment", 0, "size", to=9), "size: 8", "size: 9"),
        (change(1, "augment", 0, to=None), "{use: crop,  size: 8}, ", ""),
        (change(1, "augment", 1, "q", to=1), "p: .5}", "p: .5, q: 1}"),
        (
            change(0, "augment", to=[{"use": "gray"}, *OPERATIONS]),
            "    augment:\n      # About crop",
            "    augment:\n      - {use: gray}\n      # About crop",
        ),
        (
            change(0, "augment", to=OPERATIONS[1:]),
            "      # About crop, line one.\n      #   line two\n      - {use: crop, size: 16}  # end of crop\n",
            "",
        ),
        (
            change(1, "augment", to=[OPERATIONS[0]]),
            '[{use: crop,  size: 8}, {use: "flip", p: .5}]',
            "[{use: crop,  size: 16}]",
        ),
        (
            change(1, to=None),
            '  # Second view.\n  - augment: [{use: crop,  size: 8}, {use: "flip", p: .5}]  # short\n    place: host\n',
            "",
        ),
        (
            change(1, "augment", to=[]),
            '[{use: crop,  size: 8}, {use: "flip", p: .5}]  # short',
            "[]  # short",
        ),
    ],
)
def test_nothing_but_the_change_is_written(views: list[Any], old: str, new: str) -> None:
    assert TEXT.count(old) == 1 or not old
    edited = edit(TEXT, {"views": VIEWS}, {"views": views})
    assert edited == TEXT.replace(old, new)
    assert sslreg.load_yaml(edited)["views"] == views


def test_items_take_their_comments_with_them() -> None:
    views = change(0, "augment", to=[OPERATIONS[2], OPERATIONS[0]])
    edited = edit(TEXT, {"views": VIEWS}, {"views": views})
    assert edited is not None
    moved = """\
    augment:
      # About blur.
      - {use: blur, sigma: [0.1, 2.0],  # in flow
         p: 0.5}  # end of blur
      # About crop, line one.
      #   line two
      - {use: crop, size: 16}  # end of crop
  # Second view.
"""
    assert moved in edited


def test_a_copied_item_has_the_indentation_of_its_list() -> None:
    text = """\
views:
- augment:
  # Two lines
  - use: crop
    size: 1  # small
- augment:
    - {use: gray}
"""
    views = sslreg.load_yaml(text)["views"]
    copied = [views[0], {"augment": [{"use": "gray"}, *views[0]["augment"]]}]
    edited = edit(text, {"views": views}, {"views": copied})
    assert edited == text + "    # Two lines\n    - use: crop\n      size: 1  # small\n"


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_line_ends_stay(newline: str) -> None:
    text = TEXT.replace("\n", newline)
    views = change(0, "augment", to=[{"use": "gray"}, *OPERATIONS])
    edited = edit(text, {"views": VIEWS}, {"views": views})
    assert edited is not None
    assert edited.count(newline) == edited.count("\n") == TEXT.count("\n") + 1


@pytest.mark.parametrize("text", ["{version: 1}\n", "- 1\n", "", "text\n"])
def test_a_text_without_a_block_mapping_is_left_alone(text: str) -> None:
    assert edit(text, {}, {"views": []}) is None


# Edits in any order

NAMES = ["crop", "jitter", "blur", "one_of", "gray"]


@st.composite
def edits(draw: st.DrawFn) -> list[Any]:
    views = copy.deepcopy(VIEWS)
    for _ in range(draw(st.integers(1, 5))):
        view = draw(st.sampled_from(views))
        operations = view["augment"]
        kind = draw(st.sampled_from(["add", "move", "remove", "change", "view"]))
        if kind == "add" or not operations:
            added = {"use": draw(st.sampled_from(NAMES)), "p": draw(st.floats(0, 1))}
            operations.insert(draw(st.integers(0, len(operations))), added)
        elif kind == "view":
            view["repeat"] = draw(st.integers(1, 9))
        else:
            operation = operations.pop(draw(st.integers(0, len(operations) - 1)))
            if kind == "change":
                operation[draw(st.sampled_from(["p", "size", "new"]))] = draw(st.integers(0, 99))
            if kind != "remove":
                operations.insert(draw(st.integers(0, len(operations))), operation)
    return views


@settings(max_examples=150, deadline=None)
@given(edits())
def test_any_edits_give_the_data_and_keep_the_comments_of_what_is_there(views: list[Any]) -> None:
    edited = edit(TEXT, {"views": VIEWS}, {"views": views})
    assert edited is not None
    assert sslreg.load_yaml(edited) == {**sslreg.load_yaml(TEXT), "views": views}
    for comment in ("# The top.", "# the version", "# First view.", "# Second view.", "# The model.", "# The end."):
        assert edited.count(comment) == 1
    for operation in views[0]["augment"]:
        if operation in VIEWS[0]["augment"]:
            for comment in re.findall(rf"# (?:About|end of) {operation['use']}", TEXT):
                assert comment in edited
