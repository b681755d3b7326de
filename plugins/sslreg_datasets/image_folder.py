"""Images in a folder, labeled by their subfolders or not at all."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Literal

import numpy as np

import sslreg

log = logging.getLogger(__name__)


class ImageFolder(sslreg.Dataset):
    """All images under a folder, at any depth, in the order of their paths.

    An image is a file with an extension that an installed reader claims. Links are followed. Files and folders whose
    names start with a dot are skipped. FIFOs, sockets, devices and files with other extensions are skipped and counted
    in a warning. Items are ``(path, target)``, with the target None without labels.

    Args:
        root: the folder.
        labels: ``folders`` uses the first-level subfolder of an image as its class, classes in the order of their
            names; ``none`` reads no labels; ``auto`` is ``folders`` if every image lies in one of at least two
            subfolders, else ``none``.

    Raises:
        ValueError: The folder does not exist, cannot be read or has no image, or an image lies in no subfolder that
            could be its class.
    """

    def __init__(self, root: str, labels: Literal["auto", "folders", "none"] = "auto") -> None:
        self.root = Path(root).expanduser()
        names = find_images(require_folder(self.root))
        if not names:
            raise ValueError(
                f"no image in {format_path(self.root)} or its subfolders; images end in .jpg, .png, .tiff, .webp or "
                "another extension of an installed reader, and do not start with a dot"
            )
        unlabeled = next((name for name in names if os.sep not in name), None)
        folders = sorted({name.partition(os.sep)[0] for name in names})
        if labels == "folders" and unlabeled is not None:
            raise ValueError(
                f"{format_path(self.root / unlabeled)} lies in no subfolder that could be its class; move it into "
                "one, or write labels: none"
            )
        if labels == "folders" or (labels == "auto" and unlabeled is None and len(folders) > 1):
            number = {folder: target for target, folder in enumerate(folders)}
            self.classes = folders
            self.targets = np.array([number[name.partition(os.sep)[0]] for name in names])
        # Worker processes share the memory of an array; reading the strings of a list would copy them.
        self._names = np.array([os.fsencode(name) for name in names])

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: int) -> tuple[str, int | None]:
        target = None if self.targets is None else int(self.targets[index])
        return os.path.join(self.root, self.name(index)), target

    def name(self, index: int) -> str:
        """Return the image's path relative to the root."""
        return os.fsdecode(self._names[index])


def require_folder(root: Path) -> Path:
    """Return a folder of images. Raises ValueError if it does not exist."""
    if root.is_dir():
        return root
    if root.exists():
        raise ValueError(f"{format_path(root)} is a file; root has to be the folder of the images")
    nearest = next(parent for parent in root.absolute().parents if parent.exists())
    raise ValueError(
        f"no folder {format_path(root)} ({nearest} exists, {root.absolute().relative_to(nearest)} does not); set root "
        "to the folder of the images"
    )


def format_path(path: Path) -> str:
    """Return the path as given, followed by the absolute path if it is relative."""
    return f"'{path}'" if path.is_absolute() else f"'{path}' (that is, {path.absolute()})"


def find_images(folder: Path, extensions: Collection[str] | None = None) -> list[str]:
    """Return the images below a folder, as sorted paths relative to it.

    Args:
        folder: The folder.
        extensions: The extensions of images; by default those that the installed readers claim.

    Raises:
        ValueError: The folder cannot be read.
    """
    extensions = sslreg.image_extensions() if extensions is None else extensions
    special: list[str] = []
    others: Counter[str] = Counter()
    try:
        paths = sorted(os.path.relpath(path, folder) for path in _walk(folder, extensions, special, others, parents=()))
    except OSError as error:
        raise ValueError(f"cannot list '{error.filename}': {error.strerror}") from error
    if special:
        log.warning(
            "%d entries of %s are skipped, since they are FIFOs, sockets or devices; the first is %r",
            len(special),
            format_path(folder),
            min(special),
        )
    if others:
        log.warning(
            "%d files of %s are skipped because of their extensions: %s%s",
            others.total(),
            format_path(folder),
            ", ".join(f"{count} {extension or 'without one'}" for extension, count in others.most_common(5)),
            ", …" * (len(others) > 5),
        )
    return paths


def _walk(
    folder: str | Path,
    extensions: Collection[str],
    special: list[str],
    others: Counter[str],
    parents: tuple[tuple[int, int], ...],
) -> Iterator[str]:
    """Yield the files with these extensions at any depth.

    Args:
        folder: The folder.
        extensions: Those to look for.
        special: Receives the paths of FIFOs, sockets and devices with these extensions.
        others: Counts the files with other extensions, by extension.
        parents: The folders above, by device and inode.
    """
    status = os.stat(folder)
    identity = (status.st_dev, status.st_ino)
    if identity in parents:  # a link to a folder above would never end
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from _walk(entry.path, extensions, special, others, (*parents, identity))
            elif (extension := os.path.splitext(entry.name)[1].lower()) not in extensions:
                others[extension] += 1
            else:
                # A link to nothing is kept, so that it is reported as a missing image.
                if entry.is_file() or not os.path.exists(entry.path):
                    yield entry.path
                else:
                    special.append(entry.path)
