"""Levels in the types that readers return."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def to_readable(levels: NDArray[Any]) -> NDArray[Any]:
    """Return levels as uint8, uint16 or float32 in the byte order of this machine; bool becomes 0 and 1."""
    if levels.dtype.kind == "b":
        return levels.astype(np.uint8)
    if levels.dtype.kind == "u" and levels.dtype.itemsize <= 2:
        return levels.astype(levels.dtype.newbyteorder("="), copy=False)
    return levels.astype(np.float32)
