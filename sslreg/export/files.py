"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sslreg.errors import SslregError, UserError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A draft to write, which takes the file's place at the end. SslregError: it cannot be written.

    What raises leaves the file as it was, and no draft.
    """
    draft = path.with_name(f".{path.name}.draft")
    try:
        yield draft
        with draft.open("rb+") as file:
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise SslregError(f"{path} cannot be written: {error.strerror or error}", code="unwritable") from error
    finally:
        draft.unlink(missing_ok=True)


def require_new(*paths: Path, force: bool) -> None:
    """UserError: one of the files is there already and `force` does not allow to replace it, or its folder is not."""
    for path in paths:
        if not path.parent.is_dir():
            raise UserError(f"there is no folder {path.parent}", code="no-folder")
        if path.exists() and not force:
            raise UserError(f"{path} is there already", hint="name another file, or say --force", code="file-exists")
