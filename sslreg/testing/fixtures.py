"""Pytest fixtures for plugins: put ``pytest_plugins = ["sslreg.testing.fixtures"]`` in the top ``conftest.py``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from sslreg.testing.temporary_components import temporary_components


@pytest.fixture
def register() -> Iterator[Callable[[str, str, Any], None]]:
    """A function that registers a component until the test ends: ``register("loss", "acme", AcmeLoss)``."""
    with ExitStack() as stack:

        def register(kind: str, name: str, target: Any) -> None:
            stack.enter_context(temporary_components(**{kind: {name: target}}))

        yield register
