"""Images in a folder, labeled by their subfolders or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageFile

import sslreg


class ImageFolder(sslreg.Dataset):
    """Every image under a folder, at any depth, in the order of the paths.

    An image is a file with an extension that Pillow reads. Links are followed; files and folders whose names start
    with a dot are passed over. Items are ``(path, target)``, target None without labels.

    root: the folder.
    labels: ``folders`` takes the first-level subfolder that an image lies in as its class, classes in the order of
        their names; ``none`` reads no labels; ``auto`` does the former where every image lies in one of at least two
        such subfolders, the latter where not.

    ValueError: there is no such folder, it cannot be read or has no image, or an image lies in no subfolder that
    would be its class.
    """

    def __init__(self, root: str, labels: Literal["auto", "folders", "none"] = "auto") -> None:
        self.root = Path(root).expanduser()
        names = _images_in(_existing(self.root))
        if not names:
            raise ValueError(
                f"no image in {_said(self.root)} or its subfolders; files that count end in .jpg, .png, .tiff, .webp "
                "or another extension that Pillow reads, and do not start with a dot"
            )
        loose = next((name for name in names if os.sep not in name), None)
        folders = sorted({name.partition(os.sep)[0] for name in names})
        if labels == "folders" and loose is not None:
            raise ValueError(
                f"{_said(self.root / loose)} lies in no subfolder that would be its class; move it into one, "
                "or say labels: none"
            )
        self.targets: np.ndarray | None = None
        if labels == "folders" or (labels == "auto" and loose is None and len(folders) > 1):
            number = {folder: target for target, folder in enumerate(folders)}
            self.classes = folders
            self.targets = np.array([number[name.partition(os.sep)[0]] for name in names])
        # One array, not a list: worker processes share its memory, where reading a list's strings would copy them.
        self._names = np.array([os.fsencode(name) for name in names])

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: int) -> tuple[str, int | None]:
        target = None if self.targets is None else int(self.targets[index])
        return os.path.join(self.root, self.name(index)), target

    def name(self, index: int) -> str:
        """The image's path relative to the root."""
        return os.fsdecode(self._names[index])


@cache
def image_extensions() -> frozenset[str]:
    """The extensions, lower-case and with their dot, of the formats whose pixels Pillow reads."""
    by_extension = Image.registered_extensions()
    return frozenset(extension for extension, name in by_extension.items() if _decodes(name))


def _decodes(format_name: str) -> bool:
    if format_name not in Image.OPEN or format_name == "MPEG":  # Pillow knows an MPEG's size and no more.
        return False
    factory = Image.OPEN[format_name][0]
    return not (isinstance(factory, type) and issubclass(factory, ImageFile.StubImageFile))


def _existing(root: Path) -> Path:
    if root.is_dir():
        return root
    if root.exists():
        raise ValueError(f"{_said(root)} is a file; root has to be the folder that holds the images")
    nearest = next(parent for parent in root.absolute().parents if parent.exists())
    raise ValueError(
        f"no folder {_said(root)} ({nearest} exists, {root.absolute().relative_to(nearest)} does not); set root to the "
        "folder that holds the images"
    )


def _said(path: Path) -> str:
    """The path as given, with what it means where it is relative."""
    return f"'{path}'" if path.is_absolute() else f"'{path}' (that is, {path.absolute()})"


def _images_in(folder: Path) -> list[str]:
    """The images below a folder, as sorted paths relative to it."""
    try:
        return sorted(os.path.relpath(path, folder) for path in _walk(folder, within=()))
    except OSError as error:
        raise ValueError(f"cannot look into '{error.filename}': {error.strerror}") from error


def _walk(folder: str | Path, within: tuple[tuple[int, int], ...]) -> Iterator[str]:
    """The images at any depth. within: which folders this one lies in, by device and inode."""
    status = os.stat(folder)
    identity = (status.st_dev, status.st_ino)
    if identity in within:  # a link back to a folder above would never end
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from _walk(entry.path, (*within, identity))
            elif os.path.splitext(entry.name)[1].lower() in image_extensions():
                yield entry.path
