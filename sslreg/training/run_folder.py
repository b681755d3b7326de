"""The folder that a run leaves behind: where everything in it is, and how it is written."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sslreg.errors import SslregError, UserError


@dataclass(frozen=True)
class RunFolder:
    """The paths of a run. Reading them asks nothing of the disk; `create` makes the folder."""

    path: Path

    @property
    def spec(self) -> Path:
        """The spec as the user wrote it."""
        return self.path / "spec.yaml"

    @property
    def resolved_spec(self) -> Path:
        """The spec as it was trained: composed, with overrides."""
        return self.path / "spec.resolved.yaml"

    @property
    def lock(self) -> Path:
        """Versions of everything that took part, and what the run knew (`FromRun`)."""
        return self.path / "lock.json"

    @property
    def metrics(self) -> Path:
        """One row for each step and for each evaluation."""
        return self.path / "metrics.csv"

    @property
    def summary(self) -> Path:
        """Status and final figures."""
        return self.path / "summary.json"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def last_checkpoint(self) -> Path:
        return self.checkpoints / "last.ckpt"

    @classmethod
    def default(cls, name: str) -> RunFolder:
        """``runs/NAME/TIMESTAMP``, with a number behind it where two runs start in the same second."""
        root = Path("runs") / name
        stamp = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
        path, number = root / stamp, 2
        while path.exists():
            path, number = root / f"{stamp}_{number}", number + 1
        return cls(path)

    def create(self) -> None:
        """Make the folder. UserError: it holds something already; SslregError: it cannot be made."""
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise UserError(
                f"{self.path} is there already and not empty",
                hint="choose another folder with --out, or remove it",
                code="run-folder-taken",
            )
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SslregError(
                f"the run folder {self.path} cannot be made: {error.strerror}",
                hint="choose another with --out",
                code="run-folder-unwritable",
            ) from error


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file such that a reader sees the old content or the new, never a part of it."""
    replace_file(path, (json.dumps(content, indent=2) + "\n").encode())


def replace_file(path: Path, content: bytes) -> None:
    """Put `content` in the place of a file in one step."""
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
