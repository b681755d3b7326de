"""Writing of NumPy archives, one part at a time."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from sslreg.atomic_files import atomic_write
from sslreg.export.partial_results import Parts

#: The earliest date in a zip file. With the time of writing, equal archives would differ.
_DATE = (1980, 1, 1, 0, 0, 0)


def write_npz(path: Path, parts: Parts) -> None:
    """Join parts in an archive of the features, ``indices``, ``names`` and, if all parts have labels, ``targets``.

    Features are ``embeddings`` (N, D) of images or ``patches`` (N, rows, columns, D).
    """
    names = [parts.features, "indices", "names", *(["targets"] if parts.have("targets") else [])]
    with atomic_write(path) as draft, zipfile.ZipFile(draft, "w") as archive:
        for name in names:
            _write_array(archive, name, parts)


def _write_array(archive: zipfile.ZipFile, name: str, parts: Parts) -> None:
    rows, dtype = 0, np.dtype("U1")
    inner: tuple[int, ...] = ()
    for shape, kind in parts.headers(name):
        rows, inner = rows + shape[0], shape[1:]
        # Texts get the width of the longest text of all parts.
        dtype = kind if kind.kind != "U" else max(dtype, kind, key=lambda kind: kind.itemsize)
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (rows, *inner)}
    with archive.open(zipfile.ZipInfo(f"{name}.npy", _DATE), "w", force_zip64=True) as file:
        np.lib.format.write_array_header_2_0(file, header)
        for block in _array_bytes(parts.columns(name), dtype):
            file.write(block)


def _array_bytes(columns: Iterable[np.ndarray[Any, Any]], dtype: np.dtype[Any]) -> Iterable[bytes]:
    return (np.ascontiguousarray(column, dtype).tobytes() for column in columns)
