"""Files in the user's cache that remember what took long to find out. Imports no torch."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path


def user_cache_path(folder: str, identity: Sequence[str], extension: str) -> Path:
    """Return the path of a file in the user's cache, ``~/.cache/sslreg`` unless XDG_CACHE_HOME names another folder.

    Args:
        folder: the folder of the files of this kind.
        identity: the texts that tell the file from others of its kind.
        extension: the extension of the file, with its dot.
    """
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = hashlib.sha256(os.fsencode("\0".join(identity))).hexdigest()[:32]
    return root / "sslreg" / folder / f"{name}{extension}"


def is_own_file(path: Path) -> bool:
    """Return whether a file belongs to the user; on Windows, which has no such owners, every file does.

    Raises:
        OSError: there is no such file.
    """
    return not hasattr(os, "getuid") or path.stat().st_uid == os.getuid()
