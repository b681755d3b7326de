"""Evaluation every n epochs and at the end of training."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, cast

import lightning.pytorch as lightning
from lightning.pytorch.callbacks import Callback

from sslreg.assembly import NamedEvaluator
from sslreg.contracts import Model
from sslreg.evaluation import Evaluation
from sslreg.training.callbacks.metrics_recorder import MetricsRecorder
from sslreg.training.callbacks.throughput import Throughput
from sslreg.training.checkpoints.random_states import preserve_generators
from sslreg.training.distributed.collectives import barrier
from sslreg.training.stop_signals import StopRequested, StopSignals


class EvaluatedModule(Protocol):
    """The part of a Lightning module that an evaluation needs."""

    def evaluated_model(self) -> Model:
        """Return the model to evaluate."""


class PeriodicEvaluation(Callback):
    """A callback that runs the spec's evaluators. Their figures go to metrics.csv, the last ones also to `final`.

    A signal or a failure may interrupt an evaluation anywhere. Its evaluators then stay pending: a checkpoint holds
    their names, and a run that resumes from it evaluates first. An evaluation does not change the random generators.

    Attributes:
        pending: The names of the evaluators that have yet to run.
        final: The figures at the end of training.
    """

    def __init__(
        self,
        evaluation: Evaluation,
        evaluators: Iterable[NamedEvaluator],
        recorder: MetricsRecorder,
        throughput: Throughput,
        stop: StopSignals,
    ) -> None:
        self.evaluation = evaluation
        self.evaluators = list(evaluators)
        self.recorder = recorder
        self.throughput = throughput
        self.stop = stop
        self.final: dict[str, float] = {}
        self.pending: list[str] = []
        self._epoch = 0

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        barrier()  # the first call connects the processes, which has a short timeout
        if self.pending:
            self._evaluate(trainer, pl_module)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._epoch, self.final = trainer.current_epoch, {}
        done = self._epoch + 1
        due = [named.name for named in self.evaluators if named.every and done % named.every == 0]
        if due and done != trainer.max_epochs:  # on_train_end evaluates after the last epoch
            self.pending = due
            self._evaluate(trainer, pl_module)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.pending = [named.name for named in self.evaluators]
        self.final = self._evaluate(trainer, pl_module)

    def _evaluate(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> dict[str, float]:
        """Run the pending evaluators in the main process, while the others wait."""
        self.recorder.flush(trainer)
        figures: dict[str, float] = {}
        if trainer.is_global_zero:
            try:
                figures = self._run_evaluators(cast(EvaluatedModule, pl_module))
            except StopRequested:
                barrier()  # the next save stops the run
                return {}
            self.recorder.record_evaluation({"step": trainer.global_step, "epoch": self._epoch, **figures})
            self.throughput.pause()
        self.pending = []
        barrier()
        return figures

    def _run_evaluators(self, module: EvaluatedModule) -> dict[str, float]:
        evaluators = [named for named in self.evaluators if named.name in self.pending]
        with preserve_generators(), self.stop.interruptible():
            return self.evaluation.evaluate_model(module.evaluated_model(), evaluators)

    def state_dict(self) -> dict[str, Any]:
        return {"owed": self.pending, "epoch": self._epoch, "final": self.final}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.pending, self._epoch, self.final = state_dict["owed"], state_dict["epoch"], state_dict["final"]
