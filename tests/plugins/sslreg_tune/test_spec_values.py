"""Values of a spec by path."""

from __future__ import annotations

from typing import Any

import pytest

import sslreg
from sslreg_tune.spec_values import ABSENT, find_value, format_overrides

SPEC = sslreg.load_spec("digits-simclr")


def test_keys_of_the_replaced_component_are_ignored() -> None:
    values = {"loss.use": "vicreg", "loss.temperature": 0.1}
    assert format_overrides(values) == ["loss.temperature=0.1", 'loss.use="vicreg"']
    assert sslreg.load_spec("digits-simclr", format_overrides(values)).loss.params == {}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("optimizer.lr", 2e-3),
        ("loss.use", "nt_xent"),
        ("loss.temperature", 0.5),
        ("model.projection", [256, 128]),
        ("views.0.augment.2.sigma", 3),
        ("views.0.place", "auto"),
        ("engine.ema", None),
        ("data.workers", 0),
    ],
)
def test_values_of_the_starting_spec_include_defaults(path: str, value: Any) -> None:
    assert find_value(SPEC, path) == value


@pytest.mark.parametrize("path", ["loss.nothing", "nothing", "views.7.repeat", "embed_view.0.use"])
def test_a_spec_may_have_no_value_at_a_path(path: str) -> None:
    assert find_value(SPEC, path) is ABSENT
