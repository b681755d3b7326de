"""Makes a t-SNE in a separate process, which can be ended and leaves the interpreter of the server to requests."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import sslreg

#: Fewer vectors take less time than the start of a process.
_FEW = 1_000

#: The seconds between two looks whether the map is still wanted.
_PAUSE = 0.2


def project(features: Tensor, cancelled: threading.Event) -> tuple[NDArray[np.float64], str] | None:
    """Project unit vectors (N, D) to the plane by a t-SNE.

    Args:
        features: The vectors.
        cancelled: Ends the process when it is set.

    Returns:
        The points (N, 2), and the method as a sentence; None if it was cancelled.

    Raises:
        UserError: The process failed, for example because there is too little memory.
    """
    if len(features) < _FEW:
        made = sslreg.map_embeddings(features, [None] * len(features))
        return np.array(made.points), made.method
    with tempfile.TemporaryDirectory(prefix="sslreg-map-") as folder:
        source, target = Path(folder, "features.npy"), Path(folder, "map.json")
        np.save(source, features.numpy())
        command = [sys.executable, "-m", "sslreg_browser.map_process", str(source), str(target)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            while not cancelled.wait(_PAUSE):
                if process.poll() is not None:
                    break
            else:
                return None
        finally:
            process.kill()
            _, problem = process.communicate()
        if process.returncode or not target.is_file():
            reason = problem.decode(errors="replace").strip().rpartition("\n")[2]
            raise sslreg.UserError(f"the t-SNE failed: {reason or f'exit status {process.returncode}'}", code="map")
        content = json.loads(target.read_text(encoding="utf-8"))
        return np.array(content["points"]), content["method"]


def main(source: str, target: str) -> None:
    """Read features from a file of NumPy, and write their map as JSON."""
    features = torch.from_numpy(np.load(source, allow_pickle=False))
    made = sslreg.map_embeddings(features, [None] * len(features))
    with sslreg.atomic_write(Path(target)) as draft:
        draft.write_text(json.dumps({"points": made.points, "method": made.method}), encoding="utf-8")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Exception as error:  # noqa: BLE001 - the server shows one line of whatever scikit-learn raises
        sys.exit(f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}")
