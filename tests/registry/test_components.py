"""What holds for every registered default component."""

from __future__ import annotations

import pytest

from sslreg.registry import KINDS, ComponentInfo, installed

DEFAULTS = [info for info in installed() if info.distribution == "sslreg"]


@pytest.mark.parametrize("info", DEFAULTS, ids=lambda info: f"{info.kind}/{info.name}")
def test_a_default_component_says_what_it_is(info: ComponentInfo) -> None:
    assert info.summary
    assert not info.summary.endswith(".")


def test_the_four_kinds_that_the_project_is_about_are_provided() -> None:
    provided = {info.kind for info in DEFAULTS}
    assert {"augmentation", "model", "loss", "memory_bank"} <= provided <= set(KINDS)
