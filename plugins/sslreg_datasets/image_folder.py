"""Images in a folder, labeled by their subfolders or not at all."""

from __future__ import annotations

import logging
import os
import re
from bisect import bisect_left
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

import sslreg
from sslreg_datasets._folder_listing import list_files
from sslreg_datasets._labels import number_labels, sort_classes
from sslreg_datasets._packed_strings import PackedStrings

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
        pattern: a regular expression that is searched in the path of each image relative to the root. What its group
            ``(?P<label>...)`` matches is the class, in place of `labels`; what ``(?P<group>...)`` matches is the group,
            such as a patient, that a split must not divide.

    Raises:
        ValueError: The folder does not exist, cannot be read or has no image, an image lies in no subfolder that could
            be its class, or does not match the pattern.
    """

    def __init__(
        self, root: str, labels: Literal["auto", "folders", "none"] = "auto", pattern: str | None = None
    ) -> None:
        self.root = Path(root).expanduser()
        expression = None if pattern is None else _compile(pattern, labels)
        names = find_images(require_folder(self.root))
        if not names:
            raise ValueError(
                f"no image in {format_path(self.root)} or its subfolders; images end in .jpg, .png, .tiff, .webp or "
                "another extension of an installed reader, and do not start with a dot"
            )
        found = {} if expression is None else _search(expression, names, self.root)
        self._groups = PackedStrings(found["group"]) if "group" in found else None
        if "label" in found:
            self.classes = sort_classes(found["label"])
            self.targets = number_labels(found["label"], self.classes)
        else:
            self._read_labels(names, labels)
        self._names = names

    def _read_labels(self, names: Sequence[str], labels: Literal["auto", "folders", "none"]) -> None:
        """Take the first-level subfolders of the images as their classes, if `labels` says so."""
        counts, unlabeled = _count_by_folder(names)
        if labels == "folders" and unlabeled is not None:
            raise ValueError(
                f"{format_path(self.root / unlabeled)} lies in no subfolder that could be its class; move it into "
                "one, or write labels: none"
            )
        if labels == "folders" or (labels == "auto" and unlabeled is None and len(counts) > 1):
            self.classes = sorted(counts)
            number = {folder: target for target, folder in enumerate(self.classes)}
            self.targets = np.repeat([number[folder] for folder in counts], list(counts.values()))

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: int) -> tuple[str, int | None]:
        target = None if self.targets is None else int(self.targets[index])
        return os.path.join(self.root, self.name(index)), target

    def name(self, index: int) -> str:
        """Return the image's path relative to the root."""
        return self._names[index]

    def group(self, index: int) -> str | None:
        """Return what the group of the pattern matches in the image's path; None without one."""
        return None if self._groups is None else self._groups[index]


def _count_by_folder(names: Sequence[str]) -> tuple[dict[str, int], str | None]:
    """Count the images in each first-level subfolder, in the order of the paths, up to the first that lies in none.

    Args:
        names: The sorted paths of the images. Those in one subfolder follow each other, so few of them are looked at.

    Returns:
        The numbers by subfolder, and the image that lies in none, if there is one.
    """
    counts: dict[str, int] = {}
    start = 0
    while start < len(names):
        folder, separator, _ = names[start].partition(os.sep)
        if not separator:
            return counts, names[start]
        end = bisect_left(names, folder + chr(ord(os.sep) + 1), lo=start)
        counts[folder] = end - start
        start = end
    return counts, None


def _compile(pattern: str, labels: str) -> re.Pattern[str]:
    """Return the expression of a pattern. Raises ValueError if it names no label or group, or contradicts `labels`."""
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"pattern {pattern!r} is not a regular expression: {error}") from error
    if not {"label", "group"} & set(expression.groupindex):
        raise ValueError(
            f"pattern {pattern!r} has no group named label or group; write (?P<label>...) around the part that is the "
            "class"
        )
    if "label" in expression.groupindex and labels != "auto":
        raise ValueError(f"pattern {pattern!r} has labels, so labels: {labels} cannot hold; remove one of them")
    return expression


def _search(expression: re.Pattern[str], names: Sequence[str], root: Path) -> dict[str, list[str]]:
    """Return what the groups ``label`` and ``group`` match in each path. Raises ValueError unless all match."""
    matches = [expression.search(name.replace(os.sep, "/")) for name in names]
    found: dict[str, list[str]] = {}
    for part in {"label", "group"} & set(expression.groupindex):
        texts = [None if match is None else match[part] for match in matches]
        if missing := [name for name, text in zip(names, texts, strict=True) if text is None]:
            raise ValueError(
                f"{len(missing)} of {len(names)} images in {format_path(root)} have no {part} by the pattern "
                f"{expression.pattern!r}; the first is {missing[0]!r}"
            )
        found[part] = [text for text in texts if text is not None]
    return found


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


def find_images(folder: Path, extensions: Collection[str] | None = None) -> PackedStrings:
    """Return the images below a folder, as sorted paths relative to it.

    Args:
        folder: The folder.
        extensions: The extensions of images; by default those that the installed readers claim.

    Raises:
        ValueError: The folder cannot be read.
    """
    extensions = sslreg.image_extensions() if extensions is None else extensions
    try:
        listing = list_files(folder, extensions)
    except OSError as error:
        raise ValueError(f"cannot list '{error.filename}': {error.strerror}") from error
    if listing.special:
        log.warning(
            "%d entries of %s are skipped, since they are FIFOs, sockets or devices; the first is %r",
            listing.special,
            format_path(folder),
            str(folder / listing.first_special),
        )
    if listing.others:
        counts = [f"{count} {extension or 'without one'}" for extension, count in listing.others.items()]
        log.warning(
            "%d files of %s are skipped because of their extensions: %s%s",
            sum(listing.others.values()),
            format_path(folder),
            ", ".join(counts[:5]),
            ", …" * (len(counts) > 5),
        )
    return listing.paths
