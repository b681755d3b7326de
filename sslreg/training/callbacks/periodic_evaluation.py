"""Evaluation every n epochs and at the end of training."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, cast

import lightning.pytorch as lightning
from lightning.pytorch.callbacks import Callback

from sslreg.assembly import NamedEvaluator
from sslreg.contracts import Model
from sslreg.evaluation import Evaluation
from sslreg.training.callbacks.metrics_recorder import MetricsRecorder
from sslreg.training.checkpoints.random_states import preserve_generators
from sslreg.training.distributed.collectives import barrier
from sslreg.training.step_times import StepTimes
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
        times: StepTimes,
        stop: StopSignals,
    ) -> None:
        self.evaluation = evaluation
        self.evaluators = list(evaluators)
        self.recorder = recorder
        self.times = times
        self.stop = stop
        self.final: dict[str, float] = {}
        self.pending: list[str] = []
        self.was_pending = False
        self.epoch = 0
        self._last_evaluation = _LastEvaluation()

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        barrier()  # the first call connects the processes, which has a short timeout
        self.was_pending = bool(self.pending)
        if self.pending:
            self._evaluate(trainer, pl_module)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.epoch, self.final = trainer.current_epoch, {}
        done = self.epoch + 1
        due = [named.name for named in self.evaluators if named.every and done % named.every == 0]
        if due and done != trainer.max_epochs:  # on_train_end evaluates after the last epoch
            self.pending = due
            self._evaluate(trainer, pl_module)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Run the evaluators that have not run after the last step, and collect the figures of all."""
        # Callbacks of the spec may change the weights at the end of training.
        last = _LastEvaluation() if self.evaluation.spec.callbacks else self._last_evaluation.at(trainer.global_step)
        self.pending = [named.name for named in self.evaluators if named.name not in last.evaluators]
        if self.pending:
            self._evaluate(trainer, pl_module)
        self.final = {} if self.pending else self._last_evaluation.figures

    def _evaluate(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> dict[str, float]:
        """Run the pending evaluators in the main process, while the others wait."""
        self.recorder.flush(trainer)
        with self.times.clock.measure("evaluation"):
            return self._evaluate_in_main_process(trainer, pl_module)

    def _evaluate_in_main_process(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> dict[str, float]:
        figures: dict[str, float] = {}
        if trainer.is_global_zero:
            try:
                figures = self._run_evaluators(cast(EvaluatedModule, pl_module))
            except StopRequested:
                barrier()  # the next save stops the run
                return {}
            self.recorder.record_evaluation({"step": trainer.global_step, "epoch": self.epoch, **figures})
            self.times.evaluations += 1
        self._last_evaluation = self._last_evaluation.at(trainer.global_step).extend(self.pending, figures)
        self.pending = []
        barrier()
        return figures

    def _run_evaluators(self, module: EvaluatedModule) -> dict[str, float]:
        evaluators = [named for named in self.evaluators if named.name in self.pending]
        with preserve_generators(), self.stop.interruptible():
            return self.evaluation.evaluate_model(module.evaluated_model(), evaluators)

    def state_dict(self) -> dict[str, Any]:
        return {
            "owed": self.pending,
            "epoch": self.epoch,
            "final": self.final,
            "last_evaluation": asdict(self._last_evaluation),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.pending, self.epoch, self.final = state_dict["owed"], state_dict["epoch"], state_dict["final"]
        self._last_evaluation = _LastEvaluation(**state_dict["last_evaluation"])


@dataclass(frozen=True)
class _LastEvaluation:
    """The step after which evaluators ran most recently, their names, and their figures in the main process."""

    step: int = -1
    evaluators: list[str] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)

    def at(self, step: int) -> _LastEvaluation:
        """Return the same if the step is this one, or an evaluation after that step without evaluators so far."""
        return self if self.step == step else _LastEvaluation(step)

    def extend(self, evaluators: list[str], figures: dict[str, float]) -> _LastEvaluation:
        """Return the evaluation with the evaluators and figures added."""
        return _LastEvaluation(self.step, [*self.evaluators, *evaluators], self.figures | figures)
