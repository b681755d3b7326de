"""Writing files so that a reader sees the old content or the new content, never a part of it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sslreg.errors import SslregError


class WriteError(SslregError):
    """The operating system refuses to write a file."""


@contextmanager
def atomic_write(path: Path, *, shared: bool = False) -> Iterator[Path]:
    """Yield the path of a draft that replaces `path` when the block ends without an exception.

    An exception leaves `path` unchanged and removes the draft. The new content is on the disk when the block has ended,
    so that a power cut cannot undo it. The file's mode follows the umask, whatever mode the writer gave the draft. A
    symbolic link is followed: the file that it points to is replaced.

    Args:
        path: The file to replace or create.
        shared: Whether another process may write the same file at the same time. The draft's name then contains the
            process ID, and the draft of a process that was killed is not overwritten by the next one.

    Raises:
        WriteError: The file cannot be written.
    """
    target = path.resolve() if path.is_symlink() else path
    if target.exists() and not target.is_file():
        raise WriteError(
            f"{path} cannot be written: it exists and is not a regular file", hint="name a file", code="unwritable"
        )
    draft = target.with_name(f".{target.name}.{os.getpid()}.draft") if shared else draft_path(target)
    try:
        with explain_write_errors(path):
            draft.unlink(missing_ok=True)
            draft.touch()
            mode = stat.S_IMODE(draft.stat().st_mode)
            yield draft
            _sync_file(draft, mode)
            draft.replace(target)
            sync_directory(target.parent)
    finally:
        draft.unlink(missing_ok=True)  # it would occupy the space that is missing


@contextmanager
def atomic_write_group(path: Path) -> Iterator[Path]:
    """Yield an empty folder whose files replace those of the same names next to `path` when the block ends.

    An exception leaves all files next to `path` unchanged and removes the folder. As with `atomic_write`, the content
    is then on the disk and the modes follow the umask.

    Raises:
        WriteError: A file cannot be written.
    """
    folder = draft_path(path)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        with explain_write_errors(path):
            folder.mkdir()
            mode = stat.S_IMODE(folder.stat().st_mode) & 0o666
            yield folder
            drafts = list(folder.iterdir())
            for draft in drafts:
                _sync_file(draft, mode)
            for draft in drafts:
                draft.replace(path.with_name(draft.name))
            sync_directory(path.parent)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sync_file(path: Path, mode: int) -> None:
    """Flush a file to the disk and give it a mode."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
    path.chmod(mode)


def write_bytes(path: Path, content: bytes) -> None:
    """Replace the content of a file atomically. Raises WriteError."""
    with atomic_write(path) as draft:
        draft.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Replace the content of a file atomically, in UTF-8 and without translating line ends. Raises WriteError."""
    write_bytes(path, content.encode())


def append_text(path: Path, content: str) -> None:
    """Append text to a file in UTF-8, without translating line ends. After a failure, the file is as it was.

    Raises:
        WriteError: The file cannot be written.
    """
    with explain_write_errors(path), path.open("ab", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        remaining = memoryview(content.encode())
        try:
            while remaining:
                remaining = remaining[file.write(remaining) :]
        except OSError:
            file.truncate(size)
            raise


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Replace the content of a file by a JSON document atomically. Raises WriteError."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def draft_path(path: Path) -> Path:
    """Return where a file is written before it replaces `path`."""
    return path.with_name(f".{path.name}.draft")


def sync_directory(path: Path) -> None:
    """Flush the names in a directory to the disk, so that a power cut does not undo a rename.

    Windows cannot open a directory and needs no flush.
    """
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def explain_write_errors(path: Path) -> Iterator[None]:
    """Turn an OSError raised in the block into a WriteError that names `path`, the reason and the remedy."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise WriteError(
                f"{path} cannot be written: no space is left on its disk", hint="make room there", code="disk-full"
            ) from error
        raise WriteError(
            f"{path} cannot be written: {error.strerror or error}",
            hint="check that its folder exists and may be written to",
            code="unwritable",
        ) from error
