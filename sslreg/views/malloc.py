"""Memory for batches in a DataLoader's workers."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST = 2**31 - 1


@cache
def keep_freed_memory() -> None:
    """Let this process keep the memory that a batch has freed for the next one, where its C library is glibc.

    glibc gives blocks of many megabytes back to the system at once; to have their pages mapped again, for every batch,
    takes longer than to augment the images in them. It is for processes that do nothing else.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST)
        mallopt(_M_TRIM_THRESHOLD, _LARGEST)
