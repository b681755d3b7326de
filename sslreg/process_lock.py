"""A lock on a file that one process holds at a time."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import lock_descriptor

#: How often a lock is tried, and the seconds in between.
ATTEMPTS, PAUSE = 3, 0.01

#: The descriptors through which this process holds locks.
_HELD: set[int] = set()


class ProcessLock:
    """A lock on a file, which names its holder.

    The operating system releases the lock when the process ends, however it ends. Child processes do not keep it. A
    second lock on the same file in the same process waits for the first one, as that of another process does.

    Args:
        path: The file, which is created if it is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self, *, wait: bool = False) -> bool:
        """Acquire the lock, and return whether that was possible.

        Args:
            wait: Whether to wait until the lock is free.

        Raises:
            OSError: The file cannot be opened, or the file system cannot lock. Then nothing is held.
        """
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        _HELD.add(descriptor)
        try:
            is_acquired = lock_descriptor(descriptor) if wait else _try_lock(descriptor)
            if is_acquired:
                _write_holder(descriptor)
                self._descriptor = descriptor
        finally:
            if self._descriptor != descriptor:
                _close(descriptor)
        return is_acquired

    def release(self) -> None:
        """Release the lock, if it is held."""
        if self._descriptor is not None:
            _close(self._descriptor)
            self._descriptor = None

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Wait for the lock, and hold it during the block. Raises OSError as `acquire` does."""
        self.acquire(wait=True)
        try:
            yield
        finally:
            self.release()

    def is_held(self) -> bool | None:
        """Return whether any process holds the lock.

        None if that is unknown: there is no file, it cannot be read, or the file system cannot lock.
        """
        try:
            descriptor = _open_for_locking(self.path)
        except OSError:
            return None
        try:
            return not _try_lock(descriptor)
        except OSError:
            return None
        finally:
            os.close(descriptor)

    def read_holder(self) -> str:
        """Return the process that acquired the lock most recently, such as ``process 12 on host``."""
        with self.path.open("rb", buffering=0) as file:
            file.seek(1)
            holder = file.read(200).decode(errors="replace").strip() or "another process"
        return "this process" if holder == _this_process() else holder


def _open_for_locking(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR)  # network file systems lock only what is open for writing
    except PermissionError:
        return os.open(path, os.O_RDONLY)


def _try_lock(descriptor: int) -> bool:
    """Take the lock if it is free. Try more than once, because `is_held` takes it for an instant."""
    for _ in range(ATTEMPTS - 1):
        if lock_descriptor(descriptor, blocking=False):
            return True
        time.sleep(PAUSE)
    return lock_descriptor(descriptor, blocking=False)


def _write_holder(descriptor: int) -> None:
    """Write who holds the lock after the first byte, which nobody else can read on Windows while it is locked."""
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"\n{_this_process()}\n".encode())


def _this_process() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"


def _close(descriptor: int) -> None:
    if descriptor in _HELD:  # a fork closes the descriptors that it copies
        _HELD.discard(descriptor)
        os.close(descriptor)


def _close_inherited() -> None:
    """Close the descriptors that a fork copied: a worker that outlives its parent must not keep the lock."""
    for descriptor in _HELD:
        os.close(descriptor)
    _HELD.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_inherited)
