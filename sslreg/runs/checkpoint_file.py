"""A checkpoint on disk: written so that nothing cuts it short, and read so that nothing damaged or hostile gets in.

The file is what `torch.save` writes, a zip archive, whose comment holds the SHA-256 of all that comes before it. So
the checksum travels with the file, the two cannot be of different ages, and `torch.load` reads it as any other.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import os
import pickle
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import torch

from sslreg.atomic_files import atomic_write, sync_directory
from sslreg.errors import SslregError
from sslreg.runs.folder import RunFolder

log = logging.getLogger(__name__)

_MARK = b"sslreg sha256 "
_COMMENT = len(_MARK) + 64
#: How the record begins that ends a zip archive, and its size without the comment, whose length are its last two bytes.
_END, _END_SIZE = b"PK\x05\x06", 22


class DamagedCheckpointError(SslregError):
    """A checkpoint that is missing, was cut short, or holds other bytes than were written."""


def write_checkpoint(content: Mapping[str, Any], path: Path, previous: Path | None = None) -> None:
    """Put a checkpoint in the place of `path` in one step; what was there goes to `previous`, if that is named.

    SslregError: it cannot be written; what was there is left as it was.
    """
    with atomic_write(path) as draft:
        with _os_errors(), draft.open("wb+") as file:
            torch.save(dict(content), file)
            _seal(file)
            file.flush()
            os.fsync(file.fileno())
        if previous is not None and path.exists():
            path.replace(previous)


@contextlib.contextmanager
def _os_errors() -> Iterator[None]:
    """What `torch.save` makes of an operating system's error becomes that error again."""
    try:
        yield
    except RuntimeError as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, OSError):
            cause = cause.__context__
        if cause is None:
            raise
        raise cause from error


def _seal(file: IO[bytes]) -> None:
    """Give the archive in `file` its checksum for a comment."""
    file.seek(-2, os.SEEK_END)
    file.write(struct.pack("<H", _COMMENT))
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256")  # type: ignore[arg-type]
    file.seek(0, os.SEEK_END)
    file.write(_MARK + digest.hexdigest().encode())


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The content of a checkpoint, its tensors on the CPU. Reading it runs no code that it might hold.

    DamagedCheckpointError: it is missing or not as it was written; SslregError: it was not written by sslreg.
    """
    _verify(path)
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError) as error:
        raise SslregError(f"{path} cannot be read: {error}", code="broken-checkpoint") from error
    return content


def _verify(path: Path) -> None:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - _COMMENT - _END_SIZE, 0))
            tail = file.read()
            end, comment = tail[:-_COMMENT], tail[-_COMMENT:]
            is_sealed = end.startswith(_END) and comment.startswith(_MARK)
            digest = _digest(file, size - _COMMENT) if is_sealed else b""
    except OSError as error:
        reason = "it is missing" if error.errno == errno.ENOENT else f"it cannot be read: {error.strerror}"
        raise DamagedCheckpointError(f"{path}: {reason}", code="broken-checkpoint") from error
    if is_sealed and comment != _MARK + digest:
        raise DamagedCheckpointError(f"{path}: its checksum does not match its content", code="broken-checkpoint")
    if not is_sealed and _is_whole_archive(tail):
        raise SslregError(
            f"{path} cannot be read: it has no checksum, so it was not written by sslreg", code="broken-checkpoint"
        )
    if not is_sealed:
        raise DamagedCheckpointError(f"{path}: it was cut short, or its end is damaged", code="broken-checkpoint")


def _is_whole_archive(tail: bytes) -> bool:
    """Whether a file that ends so is a zip archive of which nothing is missing."""
    at = tail.rfind(_END)
    return at >= 0 and tail[at + _END_SIZE - 2 : at + _END_SIZE] == struct.pack("<H", len(tail) - at - _END_SIZE)


def _digest(file: IO[bytes], end: int) -> bytes:
    """The checksum of a file's first `end` bytes, as hexadecimal digits."""
    digest = hashlib.sha256()
    file.seek(0)
    while chunk := file.read(min(1 << 20, end - file.tell())):
        digest.update(chunk)
    return digest.hexdigest().encode()


def newest_checkpoint(folder: RunFolder) -> tuple[Path, dict[str, Any]]:
    """The last checkpoint of a run, or the one before it where that one is damaged, which is then warned of.

    SslregError: there is none, both are damaged, or one was not written by sslreg.
    """
    try:
        return folder.last_checkpoint, read_checkpoint(folder.last_checkpoint)
    except DamagedCheckpointError as damage:
        if not folder.previous_checkpoint.exists():
            raise _nothing_left(folder, damage) from damage
        try:
            content = read_checkpoint(folder.previous_checkpoint)
        except DamagedCheckpointError as other:
            raise _nothing_left(folder, damage, other) from other
        log.warning("%s; the one before it is used, from step %d", damage, content["global_step"])
        return folder.previous_checkpoint, content


def _nothing_left(folder: RunFolder, *damages: DamagedCheckpointError) -> SslregError:
    if not folder.last_checkpoint.exists() and len(damages) == 1:
        return SslregError(
            f"{folder.path} has no checkpoint: {folder.last_checkpoint} is missing",
            hint="nothing was trained; start the run again",
            code="no-checkpoint",
        )
    return SslregError(
        "no checkpoint is left that can be used: " + "; ".join(str(damage) for damage in damages),
        hint="start the run again, or put a copy of its last.ckpt in place",
        code="broken-checkpoint",
    )


def set_damaged_aside(folder: RunFolder) -> None:
    """Make the checkpoint before the last one the last, so that the damaged one does not take its place.

    The damaged one is kept as ``damaged.ckpt``.
    """
    with contextlib.suppress(FileNotFoundError):
        folder.last_checkpoint.replace(folder.checkpoints / "damaged.ckpt")
    folder.previous_checkpoint.replace(folder.last_checkpoint)
    sync_directory(folder.checkpoints)
