"""Images in one array on disk, with their labels and groups."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

import sslreg
from sslreg_datasets._array_stores import is_store, open_array
from sslreg_datasets._labels import Target, format_cell, read_labels, target_of
from sslreg_datasets._packed_strings import PackedStrings

#: The largest number of channels for which the shape of an array tells where they are.
_MAX_KNOWN_CHANNELS = 4


class Array(sslreg.Dataset):
    """The images in an array of an HDF5 file (.h5, .hdf5), a Zarr store (.zarr) or a NumPy file (.npy).

    The array is (N, H, W) for gray images, (N, C, H, W) or (N, H, W, C), of uint8, uint16, bool, or floating point in
    [0, 1]. Images are read one by one, and nothing else is read. Each worker process opens the file itself. Items are
    ``(image, target)``, where the image is an array (C, H, W) or (H, W), and the target None without labels. The name
    of a sample is its index.

    Args:
        file: the file.
        images: the key of the array in the file; by default the only array.
        labels: the key of the labels, or another file of these formats. Labels are (N,), class numbers from 0
            or texts, or for several labels (N, C), 0 or 1 for each class.
        groups: the same for groups (N,), numbers or texts, which a split must not divide.
        channels: whether the channels of an array with four dimensions are ``first`` (N, C, H, W) or ``last``
            (N, H, W, C). It can be omitted if only one of these axes has at most four entries.
        classes: the names of the classes, in the order of their numbers; by default texts in alphabetical order.

    Raises:
        ValueError: the file is missing or cannot be read, an array is missing, or has another shape or type.
    """

    def __init__(
        self,
        file: str,
        images: str | None = None,
        labels: str | None = None,
        groups: str | None = None,
        channels: Literal["first", "last"] | None = None,
        classes: list[str] | None = None,
    ) -> None:
        self.file = Path(file).expanduser()
        self.images = images
        array = open_array(self.file, images)
        self._count = array.shape[0] if array.shape else 0
        self._channels_last = _has_channels_last(array.shape, channels)
        _require_levels(array.dtype)
        if labels is not None:
            try:
                self.targets, self.classes = read_labels(self._read_column(labels, "labels"), classes)
            except ValueError as error:
                raise ValueError(f"'{self.file}': {error}") from error
        self._groups: PackedStrings | None = None
        if groups is not None:
            values = self._read_column(groups, "groups").tolist()
            self._groups = PackedStrings(
                [value.decode() if isinstance(value, bytes) else format_cell(value) for value in values]
            )
        self._opened: Any = None
        self._opened_by = 0

    def __len__(self) -> int:
        return int(self._count)

    def __getitem__(self, index: int) -> tuple[np.ndarray, Target | None]:
        target = target_of(self.targets, index)
        try:
            image = np.asarray(self._open()[index])
        except (OSError, ValueError, RuntimeError) as error:
            raise sslreg.UserError(f"'{self.file}', image {index}, cannot be read: {error}", code="image") from error
        return (image.transpose(2, 0, 1) if self._channels_last else image), target

    def group(self, index: int) -> str | None:
        """Return the group of the sample; None without groups."""
        return None if self._groups is None else self._groups[index]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": None}  # open files belong to a process

    def _open(self) -> Any:
        if self._opened is None or self._opened_by != os.getpid():  # libraries do not support files across a fork
            self._opened, self._opened_by = open_array(self.file, self.images), os.getpid()
        return self._opened

    def _read_column(self, name: str, role: str) -> np.ndarray:
        """Return a value for each image from the same file or from another one."""
        column = open_array(Path(name).expanduser()) if is_store(name) else open_array(self.file, name)
        if not column.shape or column.shape[0] != self._count:
            raise ValueError(f"{role}: {name} has the shape {column.shape}, and there are {self._count} images")
        return np.asarray(column[:])


def _has_channels_last(shape: Sequence[int], channels: Literal["first", "last"] | None) -> bool:
    """Return whether images of an array have their channels last.

    Raises:
        ValueError: The array does not hold images, or its shape does not tell where the channels are.
    """
    if len(shape) not in (3, 4) or not all(shape):
        raise ValueError(f"the array has the shape {tuple(shape)}; images are (N, H, W), (N, C, H, W) or (N, H, W, C)")
    if len(shape) == 3:
        if channels is not None:
            raise ValueError(f"the array has the shape {tuple(shape)}, which has no channels; remove `channels`")
        return False
    if channels is not None:
        return channels == "last"
    first, last = (size <= _MAX_KNOWN_CHANNELS for size in (shape[1], shape[3]))
    if first == last:
        raise ValueError(
            f"the array has the shape {tuple(shape)}, which does not tell where its channels are; write "
            "channels: first for (N, C, H, W), or channels: last for (N, H, W, C)"
        )
    return last


def _require_levels(dtype: Any) -> None:
    dtype = np.dtype(dtype)
    if dtype not in (np.bool_, np.uint8) and dtype.newbyteorder("=") != np.uint16 and dtype.kind != "f":
        raise ValueError(f"the array is {dtype}; images are uint8, uint16, bool, or floating point in [0, 1]")
