"""Reading of embeddings from NumPy archives."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from sslreg.contracts import Embeddings

#: The number of values of patches that are read at once.
_VALUES = 2**25


def read_npz(path: Path) -> Embeddings:
    """Read an archive of `embeddings` or `patches`, `indices`, `names` and optionally `targets`."""
    with np.load(path, allow_pickle=False) as arrays:
        return to_embeddings(arrays, "patches" if "patches" in arrays else "embeddings")


def to_embeddings(arrays: Any, features: str) -> Embeddings:
    """Return the content of an opened archive, whose features are the array of the name `features`."""
    return Embeddings(torch.from_numpy(arrays[features]), *_labels(arrays))


def stream_npz(path: Path) -> Iterator[Embeddings]:
    """Yield an archive of `patches`, some images at a time.

    Raises:
        KeyError: The archive has no array of that name.
        ValueError: The array is not one that ``sslreg embed`` writes.
    """
    with zipfile.ZipFile(path) as archive, archive.open("patches.npy") as file:
        with np.load(path, allow_pickle=False) as arrays:
            targets, indices, names = _labels(arrays)
        shape, dtype = read_header(file)
        if len(shape) != 4 or dtype != np.float32 or len(indices) != shape[0]:
            raise ValueError(f"its patches are {dtype} {shape}, and not float32 (N, rows, columns, D)")
        for start in range(0, shape[0], size := max(1, _VALUES // math.prod(shape[1:]))):
            rows = slice(start, min(start + size, shape[0]))
            count = rows.stop - start
            content = bytearray(file.read(count * math.prod(shape[1:]) * dtype.itemsize))
            patches = np.frombuffer(content, dtype).reshape(count, *shape[1:])
            labels = None if targets is None else targets[rows]
            yield Embeddings(torch.from_numpy(patches), labels, indices[rows], names[rows])


def read_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read the shape and the type of an array, up to its first value.

    Raises:
        ValueError: The file is no array, or one in Fortran order.
    """
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, is_fortran, dtype = read(file)
    if is_fortran:
        raise ValueError("an array is in Fortran order")
    return shape, dtype


def _labels(arrays: Any) -> tuple[Tensor | None, Tensor, list[str]]:
    """Return targets, indices and names."""
    targets = torch.from_numpy(arrays["targets"]) if "targets" in arrays else None
    return targets, torch.from_numpy(arrays["indices"]), arrays["names"].tolist()
