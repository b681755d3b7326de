"""A lock on a run's folder: one process at a time trains in it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from sslreg.errors import SslregError
from sslreg.process_lock import ProcessLock
from sslreg.runs.folder import RunFolder

log = logging.getLogger(__name__)


@contextmanager
def hold_run_lock(folder: RunFolder) -> Iterator[None]:
    """Hold the lock of a run's folder during the block.

    Where a file system cannot lock, a warning is logged and the block runs without a lock.

    Raises:
        SslregError: Another process, or another part of this one, holds the lock. The message names the holder.
    """
    lock = ProcessLock(folder.lock_file)
    folder.lock_file.touch()
    try:
        is_free = lock.acquire()
    except OSError as error:
        log.warning("%s cannot be locked (%s): check that no other process trains in it", folder.path, error.strerror)
        is_free = True
    if not is_free:
        raise SslregError(
            f"{folder.path} is in use by {lock.read_holder()}",
            hint="wait until it has ended, or stop it",
            code="run-in-use",
        )
    try:
        yield
    finally:
        lock.release()


def is_locked(folder: RunFolder) -> bool | None:
    """Return whether a process holds the lock of a run's folder.

    None if that is unknown: nothing was ever locked, the file cannot be read, or the file system cannot lock.
    """
    return ProcessLock(folder.lock_file).is_held()
