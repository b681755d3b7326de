"""Whether augmentations may compile kernels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_allowed = ContextVar("compilation_allowed", default=True)


def may_compile() -> bool:
    """Return whether an augmentation may compile kernels; if not, it does the same work without them.

    `sslreg check` makes the views of a single image, for which compilation would take seconds.
    """
    return _allowed.get()


@contextmanager
def without_compilation() -> Iterator[None]:
    """Let `may_compile` return False."""
    token = _allowed.set(False)
    try:
        yield
    finally:
        _allowed.reset(token)
