"""One process at a time trains in a run's folder."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sslreg.errors import SslregError
from sslreg.runs.folder import RunFolder

log = logging.getLogger(__name__)

#: The folders that this process has. To open and close a file would let go of the lock that the process has on it.
_OWN: set[Path] = set()


@contextmanager
def in_use(folder: RunFolder) -> Iterator[None]:
    """Hold a run's folder. SslregError: another process does, or this one does already; it is named.

    The operating system lets go of the folder when the process ends, however that comes about. A record lock is not
    inherited by processes that are forked, so workers that outlive their parent for a moment do not hold it.
    """
    own = folder.path.resolve()
    if own in _OWN:  # a lock is a process's, so there would be no second one to refuse it
        raise _taken(folder, "this process")
    descriptor = os.open(folder.in_use, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _lock(folder, descriptor)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        _OWN.add(own)
        yield
    finally:
        _OWN.discard(own)
        os.close(descriptor)


def is_in_use(folder: RunFolder) -> bool | None:
    """Whether a process has a run's folder; None where that cannot be told: nothing was locked, or nothing can be."""
    if folder.path.resolve() in _OWN:
        return True
    try:
        descriptor = os.open(folder.in_use, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return True if error.errno in (errno.EACCES, errno.EAGAIN) else None
    finally:
        os.close(descriptor)
    return False


def _lock(folder: RunFolder, descriptor: int) -> None:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EAGAIN):
            log.warning("%s cannot be locked (%s): see that no other process trains there", folder.path, error.strerror)
            return
        holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "another process"
        raise _taken(folder, holder) from error


def _taken(folder: RunFolder, holder: str) -> SslregError:
    return SslregError(
        f"{folder.path} is in use by {holder}", hint="wait until it has ended, or stop it", code="run-in-use"
    )
