"""The parameters of a search."""

from __future__ import annotations

from typing import Any

import pytest

from sslreg_tune.parameters import Operation, Range, format_option


def test_values_are_integers_if_both_bounds_are() -> None:
    assert Range("trainer.max_epochs", 5, 20).is_integer
    assert not Range("loss.temperature", 0.1, 1).is_integer


def test_a_strength_has_the_name_of_its_operation() -> None:
    operation = Operation("affine_rotation", frozenset({"shape"}), ("off", "scaled"), "off")
    assert operation.strength == "affine_rotation.strength"


@pytest.mark.parametrize(
    ("option", "text"),
    [("nt_xent", "nt_xent"), (0.5, "0.5"), (None, "null"), ([256, 128], "[256, 128]"), ({"use": "sgd"}, "sgd")],
)
def test_options_are_short(option: Any, text: str) -> None:
    assert format_option(option) == text
