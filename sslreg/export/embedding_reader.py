"""Reads an embedding file again."""

from __future__ import annotations

import zipfile
from importlib import import_module
from pathlib import Path

import numpy as np
import torch

from sslreg.contracts import Embeddings
from sslreg.errors import UserError
from sslreg.export.parquet_writer import require_pyarrow


def read_embeddings(path: Path) -> Embeddings:
    """What ``sslreg embed`` wrote. UserError: there is no such file, or it is another one."""
    try:
        return _read_parquet(path) if path.suffix == ".parquet" else _read_npz(path)
    except FileNotFoundError as error:
        raise UserError(f"there is no file {path}", code="missing-file") from error
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path} holds no embeddings: {error}",
            hint="sslreg embed RUN --out E.npz makes such a file",
            code="broken-file",
        ) from error


def _read_npz(path: Path) -> Embeddings:
    with np.load(path, allow_pickle=False) as arrays:
        targets = torch.from_numpy(arrays["targets"]) if "targets" in arrays else None
        features, indices = torch.from_numpy(arrays["embeddings"]), torch.from_numpy(arrays["indices"])
        return Embeddings(features, targets, indices, arrays["names"].tolist())


def _read_parquet(path: Path) -> Embeddings:
    require_pyarrow()
    columns = ["embedding", "target", "index", "name"]
    table = import_module("pyarrow.parquet").read_table(path, columns=columns)
    vectors = table["embedding"].combine_chunks()
    features = np.array(vectors.flatten()).reshape(len(table), -1)
    targets = table["target"].to_pylist()
    return Embeddings(
        torch.from_numpy(features),
        None if None in targets else torch.tensor(targets),
        torch.tensor(table["index"].to_pylist()),
        table["name"].to_pylist(),
    )
