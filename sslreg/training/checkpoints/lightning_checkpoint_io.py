"""The plugin through which Lightning writes and reads checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning.fabric.plugins import CheckpointIO

from sslreg.runs.checkpoint_file import read_checkpoint, write_checkpoint
from sslreg.runs.folder import LAST, PREVIOUS


class AtomicCheckpointIO(CheckpointIO):
    """Checkpoint files with a checksum, replaced atomically. A run's last checkpoint keeps the one before it.

    Reading never unpickles anything that could run code, whatever Lightning or a callback asks for.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_checkpoint(checkpoint, path, path.with_name(PREVIOUS) if path.name == LAST else None)

    def load_checkpoint(
        self, path: str | Path, map_location: Callable[..., Any] | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        return read_checkpoint(Path(path))

    def remove_checkpoint(self, path: str | Path) -> None:
        Path(path).unlink(missing_ok=True)
