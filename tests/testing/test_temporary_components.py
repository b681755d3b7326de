"""Components that are registered for the length of a test."""

from __future__ import annotations

import sys

import pytest

import sslreg
from sslreg.registry import installed
from sslreg.testing import temporary_components
from sslreg.testing.tiny_components import Darken, RecordingLoss

pytest_plugins = ["sslreg.testing.fixtures"]


def test_it_is_found_by_name_until_the_block_ends() -> None:
    with temporary_components(loss={"fleeting": RecordingLoss}) as catalog:
        module = catalog.get("loss", "fleeting").target.partition(":")[0]
        assert isinstance(sslreg.build("loss", "fleeting"), RecordingLoss)
    with pytest.raises(sslreg.UserError, match="'fleeting'"):
        installed().get("loss", "fleeting")
    assert module not in sys.modules


def test_blocks_nest_and_may_hold_several_kinds() -> None:
    with (
        temporary_components(loss={"one": RecordingLoss}),
        temporary_components(loss={"two": RecordingLoss}, augmentation={"two": Darken}) as catalog,
    ):
        assert {"one", "two"} <= {info.name for info in catalog}
        assert isinstance(sslreg.build("augmentation", "two"), Darken)


def test_a_failing_block_leaves_nothing_behind() -> None:
    before = installed().plugins
    with pytest.raises(RuntimeError), temporary_components(loss={"one": RecordingLoss}):
        raise RuntimeError
    assert installed().plugins == before


def test_the_fixture_registers_a_component(register) -> None:
    register("loss", "fleeting", RecordingLoss)
    register("augmentation", "fleeting", Darken)
    assert isinstance(sslreg.build("loss", "fleeting"), RecordingLoss)


def test_the_fixture_leaves_nothing_to_the_next_test(register) -> None:
    assert "fleeting" not in {info.name for info in installed()}
