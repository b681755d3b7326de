"""A lock on a run's folder: one process at a time trains in it."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import lock_descriptor

from sslreg.errors import SslregError
from sslreg.runs.folder import RunFolder

log = logging.getLogger(__name__)

#: How often a lock is tried, and the seconds in between.
ATTEMPTS, PAUSE = 3, 0.01

#: The descriptors through which this process holds locks.
_HELD: set[int] = set()


@contextmanager
def hold_run_lock(folder: RunFolder) -> Iterator[None]:
    """Hold the lock of a run's folder during the block.

    The operating system releases the lock when the process ends, however it ends. Where a file system cannot lock, a
    warning is logged and the block runs without a lock.

    Raises:
        SslregError: Another process, or another part of this one, holds the lock. The message names the holder.
    """
    descriptor = os.open(folder.lock_file, os.O_RDWR | os.O_CREAT, 0o666)
    _HELD.add(descriptor)
    try:
        if not _lock(folder, descriptor):
            raise _locked_error(folder)
        _write_holder(descriptor)
        yield
    finally:
        _HELD.discard(descriptor)
        os.close(descriptor)


def is_locked(folder: RunFolder) -> bool | None:
    """Return whether a process holds the lock of a run's folder.

    None if that is unknown: nothing was ever locked, the file cannot be read, or the file system cannot lock.
    """
    try:
        descriptor = _open_for_locking(folder.lock_file)
    except OSError:
        return None
    try:
        return not _try_lock(descriptor)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _open_for_locking(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR)  # network file systems lock only what is open for writing
    except PermissionError:
        return os.open(path, os.O_RDONLY)


def _lock(folder: RunFolder, descriptor: int) -> bool:
    """Take the lock if it is free, or if locks do not work here."""
    try:
        return _try_lock(descriptor)
    except OSError as error:
        log.warning("%s cannot be locked (%s): check that no other process trains in it", folder.path, error.strerror)
        return True


def _try_lock(descriptor: int) -> bool:
    """Take the lock if it is free. Try more than once, because `is_locked` takes it for an instant."""
    for _ in range(ATTEMPTS - 1):
        if lock_descriptor(descriptor, blocking=False):
            return True
        time.sleep(PAUSE)
    return lock_descriptor(descriptor, blocking=False)


def _write_holder(descriptor: int) -> None:
    """Write who holds the lock after the first byte, which nobody else can read on Windows while it is locked."""
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"\n{_this_process()}\n".encode())


def _locked_error(folder: RunFolder) -> SslregError:
    with folder.lock_file.open("rb", buffering=0) as file:
        file.seek(1)
        holder = file.read(200).decode(errors="replace").strip() or "another process"
    if holder == _this_process():
        holder = "this process"
    return SslregError(
        f"{folder.path} is in use by {holder}", hint="wait until it has ended, or stop it", code="run-in-use"
    )


def _this_process() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"


def _close_inherited() -> None:
    """Close the descriptors that a fork copied: a worker that outlives its parent must not keep the lock."""
    for descriptor in _HELD:
        os.close(descriptor)
    _HELD.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_inherited)
