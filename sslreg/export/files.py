"""Checks before files are written."""

from __future__ import annotations

from pathlib import Path

from sslreg.errors import UserError


def require_new(*paths: Path, force: bool) -> None:
    """UserError: one of the files is there already and `force` does not allow to replace it, or its folder is not."""
    for path in paths:
        if not path.parent.is_dir():
            raise UserError(f"there is no folder {path.parent}", code="no-folder")
        if path.exists() and not force:
            raise UserError(f"{path} is there already", hint="name another file, or say --force", code="file-exists")
