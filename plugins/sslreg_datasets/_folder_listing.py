"""The files below a folder, listed quickly and remembered in the user's cache."""

from __future__ import annotations

import json
import logging
import os
import time
import zipfile
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import sslreg
from sslreg_datasets._packed_strings import PackedStrings

log = logging.getLogger(__name__)

#: The number of files from which a listing is remembered. Fewer are listed as quickly as they are read from the cache.
REMEMBERED_SIZE = 20_000

#: The seconds within which a folder may change without another modification time.
_CLOCK_STEP = 2.0


@dataclass
class Listing:
    """The files with some extensions below a folder.

    Attributes:
        paths: Their paths relative to the folder, sorted.
        special: The number of FIFOs, sockets and devices with these extensions.
        first_special: The path of one of them; empty if there is none.
        others: The number of files with other extensions, by extension, the most frequent first.
    """

    paths: PackedStrings
    special: int
    first_special: str
    others: dict[str, int]


@dataclass
class _Walk:
    """What a walk through folders collects.

    Attributes:
        extensions: The extensions of the files to collect.
        paths: The paths of the files, relative to the first folder.
        special: The paths of FIFOs, sockets and devices.
        others: The number of files with other extensions, by extension.
        folders: The modification time of each folder in nanoseconds, by its path relative to the first.
    """

    extensions: Collection[str]
    paths: list[str] = field(default_factory=list)
    special: list[str] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    folders: dict[str, int] = field(default_factory=dict)

    def visit(self, folder: str, prefix: str, parents: tuple[tuple[int, int], ...] = ()) -> None:
        """Collect the files in a folder and in those below.

        Args:
            folder: The path of the folder.
            prefix: The path relative to the first folder, with a separator at its end; empty for the first folder.
            parents: The folders above, by device and inode.
        """
        status = os.stat(folder)
        identity = (status.st_dev, status.st_ino)
        if identity in parents:  # a link to a folder above would never end
            return
        self.folders[prefix] = status.st_mtime_ns
        extensions = self.extensions
        below: list[str] = []
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                if name.startswith("."):
                    continue
                if entry.is_dir():
                    below.append(name)
                elif (extension := os.path.splitext(name)[1].lower()) not in extensions:
                    self.others[extension] += 1
                else:
                    # A link to nothing is kept, so that it is reported as a missing image.
                    is_kept = entry.is_file() or not os.path.exists(entry.path)
                    (self.paths if is_kept else self.special).append(prefix + name)
        for name in below:
            self.visit(os.path.join(folder, name), f"{prefix}{name}{os.sep}", (*parents, identity))


def list_files(folder: Path, extensions: Collection[str]) -> Listing:
    """Return the files with some extensions below a folder, at any depth.

    Links are followed. Files and folders whose names start with a dot are left out. A large listing is remembered until
    one of its folders changes.

    Args:
        folder: The folder.
        extensions: The extensions, in lower case, with their dots.

    Raises:
        OSError: A folder cannot be read.
    """
    remembered = sslreg.user_cache_path("folders", [str(folder.absolute()), *sorted(extensions)], ".npz")
    listing = _read_listing(remembered, folder)
    if listing is None:
        start = time.time()
        walk = _Walk(frozenset(extensions))
        walk.visit(str(folder), "")
        listing = Listing(
            PackedStrings(sorted(walk.paths)),
            len(walk.special),
            min(walk.special, default=""),
            dict(walk.others.most_common()),
        )
        # A folder that has just changed can change once more without another modification time.
        is_settled = max(walk.folders.values()) < (start - _CLOCK_STEP) * 1e9
        if len(listing.paths) >= REMEMBERED_SIZE and is_settled:
            _write_listing(remembered, listing, walk.folders)
    return listing


def _read_listing(path: Path, folder: Path) -> Listing | None:
    """Return a remembered listing; None if it is missing, broken, outdated or from another user."""
    try:
        if not sslreg.is_own_file(path):
            return None
        with np.load(path, allow_pickle=False) as content:
            facts: dict[str, Any] = json.loads(content["facts"].tobytes())
            if any(os.stat(folder / name).st_mtime_ns != time for name, time in facts.pop("folders").items()):
                return None
            return Listing(PackedStrings.from_arrays(content["bytes"], content["ends"]), **facts)
    except FileNotFoundError:
        return None
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        log.info("the listing of %s that is remembered in %s is not used: %r", folder, path, error)
        return None


def _write_listing(path: Path, listing: Listing, folders: dict[str, int]) -> None:
    facts = {name: value for name, value in vars(listing).items() if name != "paths"} | {"folders": folders}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with sslreg.atomic_write(path, shared=True) as draft, open(draft, "wb") as file:
            encoded = np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8)
            np.savez(file, facts=encoded, bytes=listing.paths.bytes, ends=listing.paths.ends)
    except (OSError, sslreg.SslregError) as error:
        log.warning("the files will be listed again next time: %s", error)
