"""Specs for the tests of the assembly."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sslreg.spec import Spec, parse_spec


@pytest.fixture
def spec(tiny_spec: str) -> Callable[..., Spec]:
    """Parses the tiny spec with overrides."""

    def parse(*overrides: str) -> Spec:
        return parse_spec(tiny_spec, "tiny.yaml", overrides)

    return parse
