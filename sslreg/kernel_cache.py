"""The cache on disk of functions that numba compiles. A cache that cannot be used costs time and ends nothing."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

log = logging.getLogger(__name__)

Kernel = TypeVar("Kernel")


def cache_kernel(kernel: Kernel) -> Kernel:
    """Let numba cache the compiled code of a function on disk, in the place of ``cache=True`` in its decorators.

    The function is compiled in each process if the cache cannot be used: no folder can be written to, the disk is full,
    the files are damaged, or another user could have written them. A warning is logged unless a damaged cache could be
    emptied.

    Args:
        kernel: A function that ``numba.njit`` has decorated. It is returned.
    """
    dispatcher: Any = kernel
    with _warn_of_errors():
        dispatcher.enable_caching()
        dispatcher._cache = _TolerantCache(dispatcher._cache)
        _disable_untrusted(dispatcher._cache, Path(dispatcher.py_func.__code__.co_filename))
    return kernel


class _TolerantCache:
    """A cache of numba, without its exceptions."""

    def __init__(self, kernel_cache: Any) -> None:
        self._cache = kernel_cache

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)

    def load_overload(self, *arguments: Any) -> Any:
        try:
            return self._cache.load_overload(*arguments)
        except Exception as error:  # noqa: BLE001 - unpickling raises anything at a damaged file
            log.info("a damaged cache of compiled functions is emptied: %r", error)
            with _warn_of_errors():
                self._cache.flush()
            return None

    def save_overload(self, *arguments: Any) -> None:
        with _warn_of_errors():
            self._cache.save_overload(*arguments)


def _disable_untrusted(kernel_cache: _TolerantCache, source: Path) -> None:
    """Disable a cache that users could have written who cannot write the source: loading it executes code."""
    folder = Path(kernel_cache.cache_path)
    if folder.parent == source.parent or not hasattr(os, "getuid"):
        return
    status = folder.stat()
    if status.st_uid != os.getuid() or status.st_mode & stat.S_IWOTH:
        kernel_cache.disable()
        _warn_once(f"other users can write to {folder}")


@contextmanager
def _warn_of_errors() -> Iterator[None]:
    try:
        yield
    except RuntimeError:
        _warn_once("no folder for it can be written to")
    except Exception as error:  # noqa: BLE001 - a cache is not worth failing for
        _warn_once(getattr(error, "strerror", None) or repr(error))


@cache
def _warn_once(reason: str) -> None:
    log.warning(
        "each process compiles its functions again, since they cannot be cached: %s; "
        "NUMBA_CACHE_DIR sets the folder of the cache",
        reason,
    )
