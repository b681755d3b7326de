"""Properties of all default components."""

from __future__ import annotations

import pytest

from sslreg.registry import KINDS, ComponentInfo, installed

DEFAULTS = [info for info in installed() if info.distribution == "sslreg"]


@pytest.mark.parametrize("info", DEFAULTS, ids=lambda info: f"{info.kind}/{info.name}")
def test_every_default_component_has_a_summary(info: ComponentInfo) -> None:
    assert info.summary
    assert not info.summary.endswith(".")


def test_every_kind_has_a_default_component() -> None:
    provided = {info.kind for info in DEFAULTS}
    assert {"augmentation", "model", "loss", "memory_bank", "mask_sampler"} <= provided <= set(KINDS)
