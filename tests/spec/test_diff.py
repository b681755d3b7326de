"""Differences between specs."""

from __future__ import annotations

from typing import Any

import pytest

from sslreg.spec.diff import ABSENT, Change, find_changes

LOSS = {"use": "nt_xent", "temperature": 0.5}


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ({"seed": 0}, {"seed": 0}, []),
        ({"seed": 0}, {"seed": 1}, [Change("seed", 0, 1)]),
        ({"loss": LOSS}, {"loss": LOSS | {"temperature": 0.1}}, [Change("loss.temperature", 0.5, 0.1)]),
        ({"loss": LOSS}, {"loss": {"use": "dcl"}}, [Change("loss", LOSS, {"use": "dcl"})]),
        ({"a": {"x": 1}}, {"a": {"y": 2}}, [Change("a.x", 1, ABSENT), Change("a.y", ABSENT, 2)]),
        ({"v": [1, 2]}, {"v": [1, 3]}, [Change("v.1", 2, 3)]),
        ({"v": [1]}, {"v": [1, 3]}, [Change("v", [1], [1, 3])]),
        ({"p": 1}, {"p": 1.0}, [Change("p", 1, 1.0)]),
        ({"p": True}, {"p": 1}, [Change("p", True, 1)]),
        ({}, {"task": None}, [Change("task", ABSENT, None)]),
    ],
)
def test_differences_are_values_at_their_paths(before: Any, after: Any, changes: list[Change]) -> None:
    assert list(find_changes(before, after)) == changes
