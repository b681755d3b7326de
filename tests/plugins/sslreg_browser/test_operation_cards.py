"""The controls of operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import pytest

import sslreg
from sslreg.testing import temporary_components
from sslreg_browser.operation_cards import describe_operations


class Sketch(sslreg.Augmentation):
    """An operation with parameters of all types."""

    def __init__(
        self,
        inner: sslreg.Augmentation,
        mode: Literal["a", "b"] = "a",
        flag: bool = True,
        color: str | None = None,
        anything: dict[str, Any] | None = None,
        steps: int = 3,
    ) -> None: ...


class Nest(sslreg.Augmentation):
    """An operation that contains others."""

    def __init__(self, augment: Sequence[sslreg.Augmentation]) -> None: ...


@pytest.fixture(scope="module")
def operations() -> dict[str, dict[str, Any]]:
    with temporary_components(augmentation={"sketch": Sketch, "nest": Nest}):
        described = describe_operations(sslreg.installed())
    return {operation["use"]: operation for operation in described}


def field(operations: dict[str, dict[str, Any]], operation: str, name: str) -> dict[str, Any]:
    return next(field for field in operations[operation]["fields"] if field["name"] == name)


def test_every_registered_augmentation_has_a_card(operations: dict[str, dict[str, Any]]) -> None:
    assert {info.name for info in sslreg.installed().of_kind("augmentation")} < operations.keys()
    assert operations["color_jitter"]["invariances"] == ["color"]
    assert operations["color_jitter"]["summary"]
    assert all(field(operations, name, "p")["high"] == 1 for name in operations)


@pytest.mark.parametrize(
    ("operation", "name", "expected"),
    [
        ("affine", "shear", {"control": "numbers", "lengths": [1, 2, 4], "nullable": True}),
        ("random_resized_crop", "size", {"lengths": [1, 2], "integer": True, "required": True}),
        ("random_resized_crop", "scale", {"lengths": [2], "default": [0.08, 1.0], "nullable": False}),
        ("gaussian_noise", "std", {"control": "numbers", "lengths": [1], "low": 0}),
        ("normalize", "mean", {"control": "json", "nullable": True}),
        ("normalize", "stats", {"control": "choice", "nullable": True}),
        ("one_of", "augment", {"control": "operations", "many": True}),
        ("nest", "augment", {"control": "operations", "many": True}),
        ("sketch", "inner", {"control": "operations", "many": False}),
        ("sketch", "mode", {"control": "choice", "choices": ["a", "b"], "default": "a"}),
        ("sketch", "flag", {"control": "switch", "default": True}),
        ("sketch", "color", {"control": "text", "nullable": True}),
        ("sketch", "anything", {"control": "json", "nullable": True}),
        ("sketch", "steps", {"control": "numbers", "integer": True, "lengths": [1]}),
    ],
)
def test_the_control_follows_the_type(
    operations: dict[str, dict[str, Any]], operation: str, name: str, expected: dict[str, Any]
) -> None:
    described = field(operations, operation, name)
    assert {key: described[key] for key in expected} == expected
