"""Saving a run's state: the last one, and the best one by a figure."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
from lightning.pytorch.callbacks import Callback

from sslreg.atomic_files import WriteError
from sslreg.errors import SslregError
from sslreg.runs.folder import RunFolder
from sslreg.spec.sections import CheckpointSpec
from sslreg.training.callbacks.metrics_recorder import MetricsRecorder
from sslreg.training.callbacks.non_finite_guard import require_finite_weights
from sslreg.training.callbacks.periodic_evaluation import PeriodicEvaluation
from sslreg.training.distributed.collectives import reduce_any
from sslreg.training.step_times import StepTimes
from sslreg.training.stop_signals import StopRequested, StopSignals

log = logging.getLogger(__name__)


class CheckpointSaver(Callback):
    """A callback that writes ``last.ckpt`` when training starts, as often as the spec asks, and however training ends.

    Whenever an evaluation raises the figure that `best` names in the spec, ``best.ckpt`` is written too. After a signal
    that asks the run to stop, the state after the running step is written and `StopRequested` raised.

    This callback runs after all others that change a run's state in a step or an epoch, so that it saves all of it. Of
    several processes one writes, and all decide alike: saving is a collective call.

    Attributes:
        folder: The run's folder. Other processes learn the main one's when training starts.
        started: Whether there was anything to train.
    """

    def __init__(
        self,
        folder: RunFolder,
        spec: CheckpointSpec,
        recorder: MetricsRecorder,
        evaluations: Sequence[PeriodicEvaluation],
        stop: StopSignals,
        times: StepTimes,
    ) -> None:
        self.folder = folder
        self.spec = spec
        self.recorder = recorder
        self.evaluations = evaluations
        self.stop = stop
        self.times = times
        self.started = False
        self._best_value = float("-inf")
        self._resumed = False
        self._step = 0
        self._saved: tuple[int, list[str]] = (-1, [])
        self._saved_at = time.monotonic()
        # A state from the middle of a step would lead elsewhere than the run was heading.
        self._is_between_steps = False

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.started = True
        # Each process named a folder by the time of its start; only the main one's was created.
        self.folder = trainer.strategy.broadcast(self.folder)
        self.stop.install_handlers()
        self._step = trainer.global_step
        if self._resumed:
            self._saved = self._position(trainer)
            self._save_if_best(trainer)  # an evaluation that was pending in the checkpoint may have been the best
        else:
            # A folder that cannot be written is noticed before the work, and the run can be resumed from the start on.
            self.save_last(trainer)
        self._is_between_steps = True
        if reduce_any(self.stop.received is not None)[0]:
            raise StopRequested

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self._is_between_steps = False

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step == self._step:
            return  # gradients are accumulating, and no checkpoint holds them
        self._step = trainer.global_step
        # The end of an epoch changes the state, so its checkpoint is written afterwards.
        if not trainer.is_last_batch and trainer.global_step != trainer.max_steps:
            self._is_between_steps = True
            self._save_if_due(trainer)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._is_between_steps = True
        self._save_if_best(trainer)
        is_last_step = trainer.global_step == trainer.max_steps
        if is_last_step or trainer.should_stop or trainer.current_epoch + 1 == trainer.max_epochs:
            # Only an evaluation is left, which may take long and listens to signals itself.
            self.save_last(trainer)
        else:
            self._save_if_due(trainer)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._save_if_best(trainer)
        self.save_last(trainer)
        if reduce_any(bool(self._pending_evaluators))[0]:
            raise StopRequested

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        """Save the state after a failure if it is whole. One of several processes cannot do that alone."""
        if isinstance(exception, WriteError):
            return
        is_whole = self.started and (self._is_between_steps or bool(self._pending_evaluators))
        if is_whole and trainer.world_size == 1 and self._position(trainer) != self._saved:
            try:
                self.save_last(trainer)
            except SslregError as error:  # the first failure is the one to report
                log.warning("%s", error)

    def _position(self, trainer: lightning.Trainer) -> tuple[int, list[str]]:
        """Return the step and the evaluators that are pending there."""
        return trainer.global_step, self._pending_evaluators

    @property
    def _pending_evaluators(self) -> list[str]:
        return [name for evaluation in self.evaluations for name in evaluation.pending]

    def _save_if_best(self, trainer: lightning.Trainer) -> None:
        value = self.recorder.evaluated.get(self.spec.best) if self.spec.best else None
        if trainer.strategy.broadcast(value is not None and value > self._best_value):
            self._best_value = float("-inf") if value is None else value
            self._save(trainer, self.folder.checkpoints / "best.ckpt")

    def _save_if_due(self, trainer: lightning.Trainer) -> None:
        due, stop = reduce_any(self._is_due(), self.stop.received is not None)
        if due or stop:
            self.save_last(trainer)
        if stop:
            raise StopRequested

    def _is_due(self) -> bool:
        if self.spec.every_steps is not None and self._step - self._saved[0] >= self.spec.every_steps:
            return True
        return time.monotonic() - self._saved_at >= 60 * self.spec.every_minutes

    def state_dict(self) -> dict[str, Any]:
        return {"best": self._best_value}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._best_value = state_dict["best"]
        self._resumed = True

    def save_last(self, trainer: lightning.Trainer) -> None:
        """Write ``last.ckpt``. Raises SslregError if it cannot be written or the state is not finite."""
        self.recorder.flush(trainer)
        self._save(trainer, self.folder.last_checkpoint)
        self._saved_at, self._saved = time.monotonic(), self._position(trainer)

    def _save(self, trainer: lightning.Trainer, path: Path) -> None:
        save_checkpoint(trainer, path, self.recorder, self.times)


def save_checkpoint(trainer: lightning.Trainer, path: Path, recorder: MetricsRecorder, times: StepTimes) -> None:
    """Write the state of a training to a file, in the main process while the others wait.

    The rows of the recorder are flushed to the disk before. The checkpoint counts in the times.

    Raises:
        SslregError: The file cannot be written, or a weight is not finite.
    """
    times.checkpoints += 1
    with times.clock.measure("checkpoints"):
        _save_together(trainer, path, recorder)


def _save_together(trainer: lightning.Trainer, path: Path, recorder: MetricsRecorder) -> None:
    require_finite_weights(trainer)
    failure = None
    try:
        recorder.sync()
        trainer.save_checkpoint(path)
    except SslregError as error:
        failure = error
        trainer.strategy.barrier("Trainer.save_checkpoint")  # where the other processes wait
    if reduce_any(failure is not None)[0]:
        raise failure or SslregError("the process that writes checkpoints cannot write them", code="unwritable")
