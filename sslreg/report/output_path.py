"""Where pages and pictures are written."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from sslreg.errors import UserError

#: What a page's name ends in.
PAGES = (".html", ".htm")


def check_place(path: Path, endings: Collection[str], meant: str) -> None:
    """UserError: the name has none of the endings, or there is no such folder. meant: the usual endings, for people."""
    if path.suffix.lower() not in endings:
        raise UserError(f"{path}: the name has to end in {meant}", code="bad-argument")
    if not path.parent.is_dir():
        raise UserError(f"{path}: there is no folder {path.parent}", code="bad-argument")
