"""Arrays in files, opened without reading them: HDF5, Zarr and NumPy."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from sslreg_datasets.image_folder import format_path


def is_store(name: str) -> bool:
    """Return whether a name has the extension of a file of arrays."""
    return Path(name).suffix.lower() in _FORMATS


def open_array(file: Path, key: str | None = None) -> Any:
    """Return an array in a file, with ``shape``, ``dtype`` and an index that reads a part.

    Args:
        file: The file, or the folder of a Zarr store. Its extension tells the format.
        key: The array in it; by default the only one.

    Raises:
        ValueError: The file is missing or cannot be read, its library is not installed, or there is no such array.
    """
    extension = file.suffix.lower()
    if extension not in _FORMATS:
        raise ValueError(f"'{file}' should end in {', '.join(_FORMATS)}")
    if not file.exists():
        raise ValueError(f"there is no file {format_path(file)}")
    try:
        return _FORMATS[extension](file, key)
    except (OSError, EOFError, ValueError, TypeError, KeyError) as error:
        if isinstance(error, _MissingArrayError):
            raise
        raise ValueError(f"'{file}' cannot be read: {error}") from error


class _MissingArrayError(ValueError):
    """An array that does not exist, or a choice between several."""


def _choose(file: Path, key: str | None, arrays: list[str]) -> str:
    """Return the key of an array, by default of the only one."""
    listed = ", ".join(map(repr, sorted(arrays))) or "none"
    if key is None and len(arrays) != 1:
        raise _MissingArrayError(
            f"'{file}' has {len(arrays)} arrays; name that of the images: images: KEY, one of {listed}"
        )
    if key is not None and key.strip("/") not in arrays:
        raise _MissingArrayError(f"'{file}' has no array {key!r}; it has {listed}")
    return arrays[0] if key is None else key.strip("/")


def _require(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise _MissingArrayError(f"{module} is not installed; it comes with: pip install 'sslreg[arrays]'") from error


def _open_hdf5(file: Path, key: str | None) -> Any:
    h5py = _require("h5py")
    opened = h5py.File(file, "r")
    names: list[str] = []
    opened.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    return opened[_choose(file, key, names)]


def _open_zarr(file: Path, key: str | None) -> Any:
    zarr = _require("zarr")
    opened = zarr.open(str(file), mode="r")
    if isinstance(opened, zarr.Array):
        if key is not None:
            raise _MissingArrayError(f"'{file}' is a single array, so it has no array {key!r}")
        return opened
    names = [name for name, item in opened.members(max_depth=None) if isinstance(item, zarr.Array)]
    return opened[_choose(file, key, names)]


def _open_npy(file: Path, key: str | None) -> Any:
    if key is not None:
        raise _MissingArrayError(f"'{file}' is a single array, so it has no array {key!r}")
    return np.load(file, mmap_mode="r", allow_pickle=False)


#: The opening functions by the extensions of files.
_FORMATS: dict[str, Callable[[Path, str | None], Any]] = {
    ".h5": _open_hdf5,
    ".hdf5": _open_hdf5,
    ".zarr": _open_zarr,
    ".npy": _open_npy,
}
