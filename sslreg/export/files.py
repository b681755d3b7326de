"""Checks before files are written."""

from __future__ import annotations

from pathlib import Path

from sslreg.errors import UserError


def require_new(*paths: Path, force: bool) -> None:
    """Check that files may be written.

    Args:
        paths: The files.
        force: Whether existing files may be replaced.

    Raises:
        UserError: A file exists and must not be replaced, or its folder does not exist.
    """
    for path in paths:
        if not path.parent.is_dir():
            raise UserError(f"there is no folder {path.parent}", code="no-folder")
        if path.exists() and not force:
            raise UserError(f"{path} is there already", hint="name another file, or use --force", code="file-exists")
