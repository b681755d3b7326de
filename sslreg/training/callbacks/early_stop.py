"""Ending a training early, at the request of its caller."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import lightning.pytorch as lightning
from lightning.pytorch.callbacks import Callback

from sslreg.training.callbacks.metrics_recorder import MetricsRecorder
from sslreg.training.callbacks.periodic_evaluation import PeriodicEvaluation
from sslreg.training.distributed.collectives import run_on_main_process

#: Decides after an epoch whether the training ends: gets the number of finished epochs, and the figures measured then.
ShouldStop = Callable[[int, Mapping[str, float]], bool]


class EarlyStop(Callback):
    """A callback that asks the caller after each epoch but the last whether the training ends, as finished.

    Of several processes, the main one asks, and all end together. An evaluation that was interrupted is finished before
    the caller is asked. A checkpoint holds the answer, so that a resumed run ends as well, unless it has no caller to
    ask: then it trains to its end.

    Args:
        should_stop: The caller's function; None if nobody is asked.
        recorder: The recorder of the figures.
        evaluations: The evaluations of the run, None without evaluation.

    Attributes:
        has_stopped: Whether the training ends early.
    """

    def __init__(
        self, should_stop: ShouldStop | None, recorder: MetricsRecorder, evaluations: PeriodicEvaluation | None
    ) -> None:
        self.should_stop = should_stop
        self.recorder = recorder
        self.evaluations = evaluations
        self.has_stopped = False

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """End a resumed run that was to end, and ask after an evaluation that the run had yet to finish."""
        self.has_stopped = self.has_stopped and self.should_stop is not None
        if self.has_stopped:
            trainer.should_stop = True
        elif self.evaluations is not None and self.evaluations.was_pending and not trainer.should_stop:
            self._ask(trainer, self.evaluations.epoch + 1)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        epochs = trainer.current_epoch + 1
        has_ended = epochs == trainer.max_epochs or trainer.global_step == trainer.max_steps
        if not has_ended and not trainer.should_stop:
            self._ask(trainer, epochs)

    def _ask(self, trainer: lightning.Trainer, epochs: int) -> None:
        if self.should_stop is not None and run_on_main_process(lambda: self._call(trainer.global_step, epochs)):
            self.has_stopped = trainer.should_stop = True

    def _call(self, step: int, epochs: int) -> bool:
        """Call the caller's function, unless an evaluation was interrupted."""
        assert self.should_stop is not None
        is_interrupted = self.evaluations is not None and bool(self.evaluations.pending)
        return not is_interrupted and bool(self.should_stop(epochs, self.recorder.figures_at(step)))

    def state_dict(self) -> dict[str, Any]:
        return {"has_stopped": self.has_stopped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.has_stopped = state_dict["has_stopped"]
