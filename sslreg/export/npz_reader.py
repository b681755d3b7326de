"""Reading of embeddings from NumPy archives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from sslreg.contracts import Embeddings


def read_npz(path: Path) -> Embeddings:
    """Read an archive of ``embeddings``, ``indices``, ``names`` and optionally ``targets``."""
    with np.load(path, allow_pickle=False) as arrays:
        return Embeddings(
            torch.from_numpy(arrays["embeddings"]),
            torch.from_numpy(arrays["targets"]) if "targets" in arrays else None,
            torch.from_numpy(arrays["indices"]),
            arrays["names"].tolist(),
        )
