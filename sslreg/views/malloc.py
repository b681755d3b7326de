"""The C library's memory allocator in a DataLoader's workers."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_MAX_INT = 2**31 - 1


@cache
def keep_freed_memory() -> None:
    """Keep the memory that a batch has freed for the next one, if the C library is glibc.

    glibc returns blocks of many megabytes to the system at once. To map their pages again for every batch takes longer
    than to augment the images in them. Call it only in processes that do nothing else.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _MAX_INT)
        mallopt(_M_TRIM_THRESHOLD, _MAX_INT)
