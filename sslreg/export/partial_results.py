"""Embeddings that are stored part by part, so that an interrupted command resumes instead of starting again."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sslreg.atomic_files import atomic_write
from sslreg.contracts import Embeddings
from sslreg.errors import SslregError
from sslreg.export.npz_reader import read_header, read_npz


class Parts:
    """Parts of embeddings in a folder next to the file that they will become.

    Args:
        target: The file.
        identity: What the embeddings are made of and how. Parts with another identity are deleted.
    """

    def __init__(self, target: Path, identity: dict[str, Any]) -> None:
        self.folder = target.with_name(f".{target.name}.parts")
        self.identity = identity

    def open(self) -> int:
        """Create or find the folder, and return the number of complete parts in it.

        Raises:
            SslregError: The folder cannot be created.
        """
        record = self.folder / "identity.json"
        try:
            if not record.is_file() or json.loads(record.read_text(encoding="utf-8")) != self.identity:
                shutil.rmtree(self.folder, ignore_errors=True)
                self.folder.mkdir()
                with atomic_write(record) as draft:
                    draft.write_text(json.dumps(self.identity), encoding="utf-8")
        except OSError as error:
            raise SslregError(f"{self.folder} cannot be created: {error.strerror}", code="unwritable") from error
        return len(self.paths())

    def paths(self) -> list[Path]:
        """Return the parts from the first up to the first missing one."""
        paths: list[Path] = []
        while (path := self._path(len(paths))).is_file():
            paths.append(path)
        return paths

    def add(self, number: int, part: Embeddings) -> None:
        """Store a part.

        Raises:
            SslregError: It cannot be written.
        """
        arrays = {
            "patches" if part.features.ndim == 4 else "embeddings": part.features.numpy(),
            "indices": part.indices.numpy(),
            "names": np.array(part.names, dtype=str),
        }
        if part.targets is not None:
            arrays["targets"] = part.targets.numpy()
        with atomic_write(self._path(number)) as draft, draft.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    def __iter__(self) -> Iterator[Embeddings]:
        for path in self.paths():
            yield read_npz(path)

    def columns(self, name: str) -> Iterator[np.ndarray[Any, Any]]:
        """Yield one array of every part, without reading the others."""
        for path in self.paths():
            with np.load(path, allow_pickle=False) as arrays:
                yield arrays[name]

    def headers(self, name: str) -> Iterator[tuple[tuple[int, ...], np.dtype[Any]]]:
        """Yield the shape and the type of one array of every part, without reading its values."""
        for path in self.paths():
            with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as file:
                yield read_header(file)

    @property
    def features(self) -> str:
        """The name of the array of features: ``embeddings`` or ``patches``."""
        return "patches" if self.have("patches") else "embeddings"

    def have(self, name: str) -> bool:
        """Return whether every part has this array."""
        for path in self.paths():
            with np.load(path, allow_pickle=False) as arrays:
                if name not in arrays:
                    return False
        return True

    def remove(self) -> None:
        """Delete all parts."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06}.npz"
