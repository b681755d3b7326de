"""The folder that a run leaves behind: where everything in it is, and how it is written."""

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
    def in_use(self) -> Path:
        """Locked by the process that trains here, which it names."""
        return self.path / ".in_use"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def last_checkpoint(self) -> Path:
        return self.checkpoints / LAST

    @property
    def previous_checkpoint(self) -> Path:
        """The one before the last, for when that turns out to be damaged."""
        return self.checkpoints / PREVIOUS

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

    def clear(self) -> None:
        """Take away what a run has written before its first checkpoint. What else is there stays."""
        for path in (self.spec, self.resolved_spec, self.lock, self.metrics, self.summary, self.in_use):
            path.unlink(missing_ok=True)
        for path in self.checkpoints.glob(".*.draft"):
            path.unlink()
        with suppress(OSError):  # not empty, or not there
            self.checkpoints.rmdir()
