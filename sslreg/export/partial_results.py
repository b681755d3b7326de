"""Work that is kept part by part, so that what was cut off goes on instead of beginning again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sslreg.atomic_files import atomic_write
from sslreg.contracts import Embeddings
from sslreg.errors import SslregError


class Parts:
    """Embeddings in a folder beside the file that they will become, a number of samples in each part.

    identity: what the embeddings are made of and how. Parts of anything else that lie in the folder are thrown away.
    """

    def __init__(self, target: Path, identity: dict[str, Any]) -> None:
        self.folder = target.with_name(f".{target.name}.parts")
        self.identity = identity

    def open(self) -> int:
        """Make the folder, or find it; the number of whole parts in it. SslregError: it cannot be made."""
        told = self.folder / "identity.json"
        try:
            if not told.is_file() or json.loads(told.read_text()) != self.identity:
                shutil.rmtree(self.folder, ignore_errors=True)
                self.folder.mkdir()
                with atomic_write(told) as draft:
                    draft.write_text(json.dumps(self.identity))
        except OSError as error:
            raise SslregError(f"{self.folder} cannot be made: {error.strerror}", code="unwritable") from error
        return len(self.paths())

    def paths(self) -> list[Path]:
        """Those of the parts from the first on that are there without a gap."""
        found: list[Path] = []
        while (path := self._path(len(found))).is_file():
            found.append(path)
        return found

    def add(self, number: int, part: Embeddings) -> None:
        """Keep a part. SslregError: it cannot be written."""
        arrays = {
            "embeddings": part.features.numpy(),
            "indices": part.indices.numpy(),
            "names": np.array(part.names, dtype=str),
        }
        if part.targets is not None:
            arrays["targets"] = part.targets.numpy()
        with atomic_write(self._path(number)) as draft, draft.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    def __iter__(self) -> Iterator[Embeddings]:
        for path in self.paths():
            with np.load(path, allow_pickle=False) as arrays:
                yield Embeddings(
                    torch.from_numpy(arrays["embeddings"]),
                    torch.from_numpy(arrays["targets"]) if "targets" in arrays else None,
                    torch.from_numpy(arrays["indices"]),
                    arrays["names"].tolist(),
                )

    def columns(self, name: str) -> Iterator[np.ndarray[Any, Any]]:
        """One array of every part, without reading the others."""
        for path in self.paths():
            with np.load(path, allow_pickle=False) as arrays:
                yield arrays[name]

    def have(self, name: str) -> bool:
        """Whether every part has this array."""
        for path in self.paths():
            with np.load(path, allow_pickle=False) as arrays:
                if name not in arrays:
                    return False
        return True

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06}.npz"
