"""The folder of a run, and the paths in it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sslreg.errors import SslregError, UserError

#: The names of the last checkpoint and of the one before it.
LAST, PREVIOUS = "last.ckpt", "previous.ckpt"


@dataclass(frozen=True)
class RunFolder:
    """The paths of a run. They are computed without access to the disk; `create` creates the folder.

    Attributes:
        path: The folder.
        is_temporary: Whether the folder is removed when its training ends, so that the run cannot be resumed.
    """

    path: Path
    is_temporary: bool = False

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
    def timing(self) -> Path:
        """The time that the phases of the training took, and what would make it faster."""
        return self.path / "timing.json"

    @property
    def baselines(self) -> Path:
        """The figures of the baselines, for `sslreg evaluate`."""
        return self.path / "baselines.json"

    @property
    def unfinished_evaluations(self) -> Path:
        """The states of evaluations that train a backbone, from which they resume."""
        return self.path / "unfinished_evaluations"

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

    @property
    def guarded_checkpoint(self) -> Path:
        """The last checkpoint with which a guard against forgetting was content."""
        return self.checkpoints / "guarded.ckpt"

    @classmethod
    def default(cls, name: str, number: int = 1) -> RunFolder:
        """Return ``runs/NAME/TIMESTAMP``, or ``runs/NAME/TIMESTAMP_NUMBER`` from 2 on."""
        stamp = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
        return cls(Path("runs") / name / (stamp if number == 1 else f"{stamp}_{number}"))

    @property
    def resume_command(self) -> str:
        """The command that resumes the run."""
        return f"sslreg train --resume {shlex.quote(str(self.path))}"

    def require_free(self) -> None:
        """Raise a UserError if the folder is not empty. If it holds a run, the hint says how to resume the run."""
        if not self.path.exists() or (self.path.is_dir() and not set(self.path.iterdir()) - {self.lock_file}):
            return
        problem, hint = "already exists and is not empty", "choose another folder with --out"
        if (status := self._read_status()) is not None:
            problem = f"already holds a run, which is {status}"
            if status == "finished":
                hint = f"{hint}, or train the run longer: {self.resume_command} --set trainer.max_epochs=N"
            elif self.last_checkpoint.exists() or self.previous_checkpoint.exists():
                hint = f"resume the run with: {self.resume_command}; or {hint}"
            else:
                hint = f"it has no checkpoint: start it again with --auto-resume, or {hint}"
        raise UserError(f"{self.path} {problem}", hint=hint, code="run-folder-taken")

    def _read_status(self) -> str | None:
        """Return the status of the run in the folder, None if there is no run."""
        try:
            return str(json.loads(self.summary.read_text(encoding="utf-8"))["status"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def create(self) -> None:
        """Create the folder, unless another process has done so.

        Raises:
            UserError: The folder is not empty.
            SslregError: It cannot be created.
        """
        self.require_free()
        with _explain_unwritable(self.path):
            try:
                self.checkpoints.mkdir(parents=True)
            except FileExistsError:  # another process was faster
                self.require_free()
                raise

    def clear(self) -> None:
        """Remove what a run writes before its first checkpoint, and nothing else.

        The file of the run lock remains: the caller holds the lock, and Windows cannot remove an open file.
        """
        files = (self.spec, self.resolved_spec, self.lock, self.metrics, self.summary, self.timing, self.baselines)
        for path in files:
            path.unlink(missing_ok=True)
        for path in self.checkpoints.glob(".*.draft"):
            path.unlink()
        with suppress(OSError):  # it is not empty, or does not exist
            self.checkpoints.rmdir()


@contextmanager
def claim_default_folder(name: str) -> Iterator[RunFolder]:
    """Create an empty folder ``runs/NAME/TIMESTAMP`` for a run, and remove it if the block fails and left it empty.

    Runs that start in the same second, also in different processes, get folders with different numbers.

    Raises:
        SslregError: The folder cannot be created.
    """
    number = 1
    with _explain_unwritable(RunFolder.default(name).path):
        while True:
            folder = RunFolder.default(name, number)
            created = [path for path in (folder.path, *folder.path.parents) if not path.exists()]
            try:
                folder.path.mkdir(parents=True)
                break
            except FileExistsError:
                if not folder.path.is_dir():
                    raise
                number += 1
            except FileNotFoundError:  # another run, which failed, has removed the folder above
                continue
    try:
        yield folder
    except BaseException:
        with suppress(OSError):  # a folder that is not empty remains
            for path in created:
                path.rmdir()
        raise


@contextmanager
def _explain_unwritable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SslregError(
            f"the run folder {path} cannot be created: {error.strerror}",
            hint="choose another with --out",
            code="run-folder-unwritable",
        ) from error
