"""Rewinding to the last checkpoint after numbers that are not finite: ``engine.on_nan: rewind`` of the spec."""

from __future__ import annotations

from sslreg.errors import SslregError
from sslreg.runs.checkpoint_file import load_newest_checkpoint
from sslreg.runs.folder import RunFolder
from sslreg.training.callbacks.checkpoint_saver import CheckpointSaver
from sslreg.training.callbacks.non_finite_guard import MAX_SKIPS_IN_A_ROW
from sslreg.training.distributed.collectives import reduce_any, run_on_main_process
from sslreg.training.stop_signals import StopRequested

#: How often a run may rewind to the same checkpoint.
MAX_REWINDS = 3


class RewindRun(Exception):  # noqa: N818  (it is no error: the run resumes)
    """A request to resume from the last checkpoint.

    Attributes:
        folder: The run's folder.
        checkpoint: The step of the checkpoint.
        guard_until: The last step to guard when it is trained again.
    """

    def __init__(self, message: str, folder: RunFolder, checkpoint: int, guard_until: int) -> None:
        super().__init__(message)
        self.folder = folder
        self.checkpoint = checkpoint
        self.guard_until = guard_until


class RewindHistory:
    """The rewinds of a run so far.

    Args:
        enabled: Whether the run may rewind at all.

    Attributes:
        guard_until: The last step to guard, 0 before the first rewind.
    """

    def __init__(self, *, enabled: bool) -> None:
        self.enabled = enabled
        self.guard_until = 0
        self._checkpoints: list[int] = []

    def add(self, rewind: RewindRun) -> None:
        self._checkpoints.append(rewind.checkpoint)
        self.guard_until = rewind.guard_until

    def __len__(self) -> int:
        return len(self._checkpoints)

    @property
    def is_allowed(self) -> bool:
        """Whether the run may rewind once more."""
        is_exhausted = bool(self._checkpoints) and self._checkpoints.count(self._checkpoints[-1]) >= MAX_REWINDS
        return self.enabled and not is_exhausted


def build_rewind(error: SslregError, step: int, checkpoints: CheckpointSaver) -> RewindRun:
    """Build the request to rewind, in all processes alike. A collective call.

    Args:
        error: The failure.
        step: The last step that may be the cause.
        checkpoints: The saver, which knows the folder and the signals.

    Raises:
        StopRequested: The run was asked to stop in the meantime; its last checkpoint is the one to rewind to.
    """
    if reduce_any(checkpoints.stop.received is not None)[0]:
        raise StopRequested from None
    folder = checkpoints.folder
    checkpoint = run_on_main_process(lambda: load_newest_checkpoint(folder)[1]["global_step"])
    return RewindRun(error.diagnostics[0].message, folder, checkpoint, step + MAX_SKIPS_IN_A_ROW)
