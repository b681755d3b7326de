"""Reading of the files that ``sslreg embed`` writes."""

from __future__ import annotations

import zipfile
from importlib import import_module
from pathlib import Path

import numpy as np
import torch

from sslreg.contracts import Embeddings
from sslreg.errors import UserError
from sslreg.export.npz_reader import read_npz
from sslreg.export.parquet_writer import require_pyarrow


def read_embeddings(path: Path) -> Embeddings:
    """Read a file that ``sslreg embed`` wrote.

    Raises:
        UserError: There is no such file, or it holds something else.
    """
    try:
        return _read_parquet(path) if path.suffix == ".parquet" else read_npz(path)
    except FileNotFoundError as error:
        raise UserError(f"there is no file {path}", code="missing-file") from error
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path} holds no embeddings: {error}",
            hint="write such a file with: sslreg embed RUN --out E.npz",
            code="broken-file",
        ) from error


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
