"""Checks of the paths that pages and pictures are written to."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from sslreg.errors import UserError

#: The endings of a page's name.
PAGES = (".html", ".htm")


def check_output_path(path: Path, endings: Collection[str], usual: str) -> None:
    """Check that a file's name has one of the endings and that its folder exists.

    Args:
        path: The file.
        endings: The endings that are allowed.
        usual: The usual endings, for the message.

    Raises:
        UserError: The name has another ending, or there is no such folder.
    """
    if path.suffix.lower() not in endings:
        raise UserError(f"{path}: the name must end in {usual}", code="bad-argument")
    if not path.parent.is_dir():
        raise UserError(f"{path}: there is no folder {path.parent}", code="bad-argument")
