"""The specs that come with sslreg."""

from __future__ import annotations

import itertools
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


@cache
def shipped_specs() -> dict[str, Path]:
    """The shipped specs by name: those inside an installed package, or the folder beside it in a checkout."""
    inside = _PACKAGE / "specs"
    folder = inside if inside.is_dir() else _PACKAGE.parent / "specs"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def summary_of(path: Path) -> str:
    """What a spec says of itself in the comment that it begins with, on one line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    comments = itertools.takewhile(lambda line: line.startswith("#"), lines)
    said = [line.lstrip("# ").strip() for line in comments if not line.startswith("# yaml-language-server")]
    return " ".join(said)
