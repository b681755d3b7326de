"""The folder of a run, and the paths in it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sslreg.errors import SslregError, UserError

#: The names of the last checkpoint and of the one before it.
LAST, PREVIOUS = "last.ckpt", "previous.ckpt"


@dataclass(frozen=True)
class RunFolder:
    """The paths of a run. They are computed without access to the disk; `create` creates the folder."""

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
        """The versions of all components, and the facts that the run learned (`FromRun`)."""
        return self.path / "lock.json"

    @property
    def metrics(self) -> Path:
        """One row for each step and for each evaluation."""
        return self.path / "metrics.csv"

    @property
    def summary(self) -> Path:
        """The status and the final figures."""
        return self.path / "summary.json"

    @property
    def lock_file(self) -> Path:
        """The file that the process which trains here locks; it names the process."""
        return self.path / ".in_use"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def last_checkpoint(self) -> Path:
        return self.checkpoints / LAST

    @property
    def previous_checkpoint(self) -> Path:
        """The checkpoint before the last one, in case the last one is damaged."""
        return self.checkpoints / PREVIOUS

    @classmethod
    def default(cls, name: str) -> RunFolder:
        """Return ``runs/NAME/TIMESTAMP``, with a number appended if two runs start in the same second."""
        root = Path("runs") / name
        stamp = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
        path, number = root / stamp, 2
        while path.exists():
            path, number = root / f"{stamp}_{number}", number + 1
        return cls(path)

    def create(self) -> None:
        """Create the folder.

        Raises:
            UserError: The folder is not empty.
            SslregError: It cannot be created.
        """
        if self.path.exists() and (not self.path.is_dir() or set(self.path.iterdir()) - {self.lock_file}):
            raise UserError(
                f"{self.path} already exists and is not empty",
                hint="choose another folder with --out, or remove it",
                code="run-folder-taken",
            )
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SslregError(
                f"the run folder {self.path} cannot be created: {error.strerror}",
                hint="choose another with --out",
                code="run-folder-unwritable",
            ) from error

    def clear(self) -> None:
        """Remove what a run writes before its first checkpoint, and nothing else.

        The file of the run lock remains: the caller holds the lock, and Windows cannot remove an open file.
        """
        for path in (self.spec, self.resolved_spec, self.lock, self.metrics, self.summary):
            path.unlink(missing_ok=True)
        for path in self.checkpoints.glob(".*.draft"):
            path.unlink()
        with suppress(OSError):  # it is not empty, or does not exist
            self.checkpoints.rmdir()
