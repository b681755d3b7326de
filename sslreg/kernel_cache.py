"""The cache on disk of functions that numba compiles. A cache that cannot be used costs time and ends nothing."""

from __future__ import annotations

import logging
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from sslreg.process_lock import ProcessLock

log = logging.getLogger(__name__)

Kernel = TypeVar("Kernel")

#: The longest time in seconds that a process waits for another one that compiles. Then it compiles, too.
PATIENCE = 120.0

#: The seconds between two looks whether the other process is done.
_PAUSE = 0.1

#: The seconds in which several processes that compile functions of the same folder announce it once.
_SAME_START = 600.0


def cache_kernel(kernel: Kernel) -> Kernel:
    """Let numba cache the compiled code of a function on disk, in the place of ``cache=True`` in its decorators.

    One process of a machine compiles the function, and says so on standard error. Others that need it meanwhile, such
    as the workers of a data loader, wait and load the result.

    The function is compiled in each process if the cache cannot be used: no folder can be written to, the disk is full,
    the files are damaged, or another user could have written them. A warning is logged unless a damaged cache could be
    emptied.

    Args:
        kernel: A function that ``numba.njit`` has decorated. It is returned.
    """
    dispatcher: Any = kernel
    with _warn_of_errors():
        dispatcher.enable_caching()
        kernel_cache = dispatcher._cache = _TolerantCache(dispatcher._cache)
        dispatcher.compile = _end_turn_after(dispatcher.compile, kernel_cache)
        _disable_untrusted(kernel_cache, Path(dispatcher.py_func.__code__.co_filename))
    return kernel


class _TolerantCache:
    """A cache of numba, without its exceptions.

    A function that is not in the cache is about to be compiled. Then the process waits for its turn, so that it may
    find what another process has compiled. The turn ends with the compilation.
    """

    def __init__(self, kernel_cache: Any) -> None:
        self._cache = kernel_cache
        self._turns = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)

    def load_overload(self, *arguments: Any) -> Any:
        found = self._load(*arguments)
        if found is None and self._cache._enabled:
            turn = _turn(Path(self._cache.cache_path))
            turn.begin()
            self._turns += 1
            found = self._load(*arguments)  # another process may have compiled it meanwhile
            if found is None:
                turn.announce()
        return found

    def end_turns(self) -> None:
        """Let other processes go on, after a function is compiled or cannot be."""
        for _ in range(self._turns):
            _turn(Path(self._cache.cache_path)).end()
        self._turns = 0

    def save_overload(self, *arguments: Any) -> None:
        with _warn_of_errors():
            self._cache.save_overload(*arguments)

    def _load(self, *arguments: Any) -> Any:
        try:
            return self._cache.load_overload(*arguments)
        except Exception as error:  # noqa: BLE001 - unpickling raises anything at a damaged file
            log.info("a damaged cache of compiled functions is emptied: %r", error)
            with _warn_of_errors():
                self._cache.flush()
            return None


class _Turn:
    """The turn of one process to compile the functions whose cache is in a folder. Compiling one may compile others.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self._lock = ProcessLock(folder / "compiling.lock")
        self._depth = 0

    def begin(self) -> None:
        """Wait for the turn."""
        self._depth += 1
        if self._depth == 1:
            self._wait()

    def end(self) -> None:
        """End the turn. The process that ends without it leaves no lock, either."""
        self._depth -= 1
        if self._depth == 0:
            self._lock.release()

    def announce(self) -> None:
        """Say that functions are being compiled, once for all processes that start together."""
        announced = self._lock.path.with_name("announced")
        try:
            if time.time() - announced.stat().st_mtime < _SAME_START:
                return
        except OSError:
            pass
        with suppress(OSError):
            announced.touch()
        if sys.stderr is not None:
            with suppress(OSError):
                sys.stderr.write("compiling functions for images, once on this machine; this takes about ten seconds\n")
                sys.stderr.flush()

    def _wait(self) -> None:
        end = time.monotonic() + PATIENCE
        # A folder that cannot be written to, or a file system that cannot lock, leaves no turns to wait for.
        with suppress(OSError):
            self._lock.path.parent.mkdir(parents=True, exist_ok=True)
            while not self._lock.acquire() and time.monotonic() < end:
                time.sleep(_PAUSE)


@cache
def _turn(folder: Path) -> _Turn:
    return _Turn(folder)


def _end_turn_after(compile_: Callable[[Any], Any], kernel_cache: _TolerantCache) -> Callable[[Any], Any]:
    """Return a function that compiles for a signature, as numba calls it, and ends the turn whatever comes of it."""

    def compile_in_turn(signature: Any) -> Any:
        try:
            return compile_(signature)
        finally:
            kernel_cache.end_turns()

    return compile_in_turn


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
