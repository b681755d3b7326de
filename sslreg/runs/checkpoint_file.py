"""Checkpoint files: written atomically with a checksum, and read without trusting their content.

A file is a zip archive from `torch.save`. Its comment holds the SHA-256 of everything before it, so that the checksum
and the content cannot be of different ages. `torch.load` reads the file like any other.
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
#: The signature of the record at the end of a zip archive, and the size of the record without the comment. Its last
#: two bytes are the length of the comment.
_END, _END_SIZE = b"PK\x05\x06", 22


class DamagedCheckpointError(SslregError):
    """A checkpoint is missing, truncated, or has other bytes than were written."""


def write_checkpoint(content: Mapping[str, Any], path: Path, previous: Path | None = None) -> None:
    """Replace a checkpoint atomically. The old one is moved to `previous`, if that is given.

    Raises:
        WriteError: The checkpoint cannot be written. The old one is unchanged.
    """
    with atomic_write(path) as draft:
        with _unwrap_os_errors(), draft.open("wb+") as file:
            torch.save(dict(content), file)
            _append_checksum(file)
            file.flush()
            os.fsync(file.fileno())
        if previous is not None and path.exists():
            path.replace(previous)


@contextlib.contextmanager
def _unwrap_os_errors() -> Iterator[None]:
    """Raise the OSError behind a RuntimeError of `torch.save`."""
    try:
        yield
    except RuntimeError as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, OSError):
            cause = cause.__context__
        if cause is None:
            raise
        raise cause from error


def _append_checksum(file: IO[bytes]) -> None:
    """Write the checksum of the archive in `file` as its comment."""
    file.seek(-2, os.SEEK_END)
    file.write(struct.pack("<H", _COMMENT))
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256")  # type: ignore[arg-type]
    file.seek(0, os.SEEK_END)
    file.write(_MARK + digest.hexdigest().encode())


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return the content of a checkpoint, with its tensors on the CPU. No code in the file can run.

    Raises:
        DamagedCheckpointError: The file is missing or not as it was written.
        SslregError: The file was not written by sslreg.
    """
    _verify(path)
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError) as error:
        raise SslregError(f"{path} cannot be read: {error}", code="broken-checkpoint") from error
    if not isinstance(content, dict):
        raise wrong_content_error(path)
    return content


def wrong_content_error(path: Path, reason: str = "its content is not that of a training") -> SslregError:
    """Return the error for a whole checkpoint whose content is not what this training writes."""
    return SslregError(
        f"{path} cannot be read: {reason}",
        hint="restore a copy of the file, or start the run again",
        code="broken-checkpoint",
    )


def _read_training(path: Path) -> dict[str, Any]:
    """Return the content of a checkpoint from which a run resumes."""
    content = read_checkpoint(path)
    if not isinstance(content.get("global_step"), int) or not isinstance(content.get("state_dict"), dict):
        raise wrong_content_error(path)
    return content


def read_position(path: Path, checkpoint: Mapping[str, Any]) -> tuple[int, int]:
    """Return the epoch at which a checkpoint resumes, and the number of its batches that are done.

    Raises:
        SslregError: The checkpoint lacks them.
    """
    try:
        position = checkpoint["callbacks"]["ResumePosition"]
        epoch, batches = position["epoch"], position["batches"]
        rows = checkpoint["callbacks"]["MetricsRecorder"]["rows"]
    except (KeyError, TypeError) as error:
        raise wrong_content_error(path, "it does not tell where the run resumes") from error
    if not all(isinstance(number, int) and number >= 0 for number in (epoch, batches, rows)):
        raise wrong_content_error(path, f"its epoch is {epoch!r}, with {batches!r} batches and {rows!r} rows")
    return epoch, batches


def _verify(path: Path) -> None:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - _COMMENT - _END_SIZE, 0))
            tail = file.read()
            end, comment = tail[:-_COMMENT], tail[-_COMMENT:]
            has_checksum = end.startswith(_END) and comment.startswith(_MARK)
            digest = _digest(file, size - _COMMENT) if has_checksum else b""
    except OSError as error:
        reason = "it is missing" if error.errno == errno.ENOENT else f"it cannot be read: {error.strerror}"
        raise DamagedCheckpointError(f"{path}: {reason}", code="broken-checkpoint") from error
    if has_checksum and comment != _MARK + digest:
        raise DamagedCheckpointError(f"{path}: its checksum does not match its content", code="broken-checkpoint")
    if not has_checksum and _is_whole_archive(tail):
        raise SslregError(
            f"{path} cannot be read: it has no checksum, so it was not written by sslreg", code="broken-checkpoint"
        )
    if not has_checksum:
        raise DamagedCheckpointError(f"{path}: it is truncated, or its end is damaged", code="broken-checkpoint")


def _is_whole_archive(tail: bytes) -> bool:
    """Return whether a file with this end is a complete zip archive."""
    at = tail.rfind(_END)
    return at >= 0 and tail[at + _END_SIZE - 2 : at + _END_SIZE] == struct.pack("<H", len(tail) - at - _END_SIZE)


def _digest(file: IO[bytes], end: int) -> bytes:
    """Return the checksum of a file's first `end` bytes, as hexadecimal digits."""
    digest = hashlib.sha256()
    file.seek(0)
    while chunk := file.read(min(1 << 20, end - file.tell())):
        digest.update(chunk)
    return digest.hexdigest().encode()


def load_newest_checkpoint(folder: RunFolder) -> tuple[Path, dict[str, Any]]:
    """Load the last checkpoint of a run, or, with a warning, the one before it if the last one is damaged.

    Raises:
        SslregError: There is no checkpoint, both are damaged, or one was not written by sslreg.
    """
    try:
        return folder.last_checkpoint, _read_training(folder.last_checkpoint)
    except DamagedCheckpointError as damage:
        if not folder.previous_checkpoint.exists():
            raise _no_checkpoint_error(folder, damage) from damage
        try:
            content = _read_training(folder.previous_checkpoint)
        except DamagedCheckpointError as other:
            raise _no_checkpoint_error(folder, damage, other) from other
        log.warning("%s; the one before it is used, from step %d", damage, content["global_step"])
        return folder.previous_checkpoint, content


def _no_checkpoint_error(folder: RunFolder, *damages: DamagedCheckpointError) -> SslregError:
    if not folder.last_checkpoint.exists() and len(damages) == 1:
        return SslregError(
            f"{folder.path} has no checkpoint: {folder.last_checkpoint} is missing",
            hint="nothing was trained; start the run again",
            code="no-checkpoint",
        )
    return SslregError(
        "no checkpoint is left that can be used: " + "; ".join(str(damage) for damage in damages),
        hint="start the run again, or restore a copy of its last.ckpt",
        code="broken-checkpoint",
    )


def promote_previous_checkpoint(folder: RunFolder) -> None:
    """Make the checkpoint before the last one the last, so that a damaged one does not become the previous one.

    The damaged one is renamed to ``damaged.ckpt``.
    """
    with contextlib.suppress(FileNotFoundError):
        folder.last_checkpoint.replace(folder.checkpoints / "damaged.ckpt")
    folder.previous_checkpoint.replace(folder.last_checkpoint)
    sync_directory(folder.checkpoints)
