"""The specs that come with sslreg."""

from __future__ import annotations

import itertools
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


@cache
def shipped_specs() -> dict[str, Path]:
    """Return the shipped specs by name. An installed package contains them; in a checkout they are in ``specs/``."""
    packaged = _PACKAGE / "specs"
    folder = packaged if packaged.is_dir() else _PACKAGE.parent / "specs"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def summary_of(path: Path) -> str:
    """Return the comment at the start of a spec on one line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    comments = itertools.takewhile(lambda line: line.startswith("#"), lines)
    return " ".join(line.lstrip("# ").strip() for line in comments if not line.startswith("# yaml-language-server"))
