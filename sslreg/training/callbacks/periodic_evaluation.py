"""Evaluates while training, every so many epochs and at the end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import lightning.pytorch as lightning
from lightning.pytorch.callbacks import Callback

from sslreg.assembly import NamedEvaluator
from sslreg.evaluation import Evaluation
from sslreg.training.callbacks.metrics_recorder import MetricsRecorder
from sslreg.training.callbacks.throughput import Throughput
from sslreg.training.checkpoints.resume_position import generators_kept
from sslreg.training.distributed.collectives import barrier
from sslreg.training.lightning_module import TrainingModule
from sslreg.training.stop_signals import StopRequested, StopSignals


class PeriodicEvaluation(Callback):
    """Runs the spec's evaluators; the figures go to metrics.csv and, for the last ones, into `final`.

    An evaluation may be broken off at any point, by a signal or a failure. It is then owed: a checkpoint says so, and a
    run that goes on from it evaluates first. Evaluating leaves the generators of random numbers as they were.

    owed: the names of the evaluators that have yet to run.
    """

    def __init__(
        self,
        evaluation: Evaluation,
        evaluators: Iterable[NamedEvaluator],
        recorder: MetricsRecorder,
        meter: Throughput,
        stop: StopSignals,
    ) -> None:
        self.evaluation = evaluation
        self.evaluators = list(evaluators)
        self.recorder = recorder
        self.meter = meter
        self.stop = stop
        self.final: dict[str, float] = {}
        self.owed: list[str] = []
        self._epoch = 0

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        barrier()  # the first such call connects the processes, which they do not wait long for
        if self.owed:
            self._evaluate(trainer, pl_module)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._epoch, self.final = trainer.current_epoch, {}
        done = self._epoch + 1
        due = [named.name for named in self.evaluators if named.every and done % named.every == 0]
        if due and done != trainer.max_epochs:  # the end has its own
            self.owed = due
            self._evaluate(trainer, pl_module)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.owed = [named.name for named in self.evaluators]
        self.final = self._evaluate(trainer, pl_module)

    def _evaluate(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> dict[str, float]:
        """Run the evaluators that are owed, in one process; the others wait."""
        self.recorder.flush(trainer)
        figures: dict[str, float] = {}
        if trainer.is_global_zero:
            assert isinstance(pl_module, TrainingModule)
            try:
                figures = self._figures(pl_module)
            except StopRequested:
                barrier()  # whoever saves next stops the run
                return {}
            self.recorder.record_evaluation({"step": trainer.global_step, "epoch": self._epoch, **figures})
            self.meter.pause()
        self.owed = []
        barrier()
        return figures

    def _figures(self, module: TrainingModule) -> dict[str, float]:
        owed = [named for named in self.evaluators if named.name in self.owed]
        with generators_kept(), self.stop.interruptible():
            return self.evaluation.evaluate_model(module.result, owed)

    def state_dict(self) -> dict[str, Any]:
        return {"owed": self.owed, "epoch": self._epoch, "final": self.final}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.owed, self._epoch, self.final = state_dict["owed"], state_dict["epoch"], state_dict["final"]
