"""A guard against forgetting: the features of a second data set must not become worse."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as lightning
from rich.console import Console
from rich.text import Text

from sslreg.assembly import NamedEvaluator, choose_guard_figure
from sslreg.evaluation import Evaluation
from sslreg.runs.checkpoint_file import read_checkpoint
from sslreg.runs.folder import RunFolder
from sslreg.spec import GuardSpec
from sslreg.training.callbacks.checkpoint_saver import save_checkpoint
from sslreg.training.callbacks.metrics_recorder import MetricsRecorder
from sslreg.training.callbacks.periodic_evaluation import PeriodicEvaluation
from sslreg.training.distributed.collectives import barrier
from sslreg.training.step_times import StepTimes
from sslreg.training.stop_signals import StopSignals


class ForgettingGuard(PeriodicEvaluation):
    """A callback that evaluates a second data set, and reports or stops a training that makes its features worse.

    The figure before the first step is the standard. With ``on_drop: stop``, ``guarded.ckpt`` holds the last state
    whose figure was good enough. If a later figure is not, the weights become those of that state, and training ends
    as finished: what is evaluated, saved and used can still do what the starting weights could.

    Args:
        folder: The run's folder.
        spec: The guard of the spec.
        evaluation: Its data sets.
        evaluator: Its evaluator.
        recorder: Records its figures.
        times: Receives the time of evaluations and checkpoints.
        stop: The signals that ask the run to stop.
        console: Where a drop is reported.

    Attributes:
        start: The figure before the first step; None before it is known.
        latest: The latest figure.
        kept_step: The step of the state that is kept.
        stopped_at: The step after which the guard ended the training; None if it has not.
    """

    def __init__(
        self,
        folder: RunFolder,
        spec: GuardSpec,
        evaluation: Evaluation,
        evaluator: NamedEvaluator,
        recorder: MetricsRecorder,
        times: StepTimes,
        stop: StopSignals,
        console: Console,
    ) -> None:
        super().__init__(evaluation, [evaluator], recorder, times, stop)
        self.folder = folder
        self.spec = spec
        self.console = console
        self.figure = ""
        self.start: float | None = None
        self.latest: float | None = None
        self.kept_step = 0
        self.stopped_at: int | None = None
        self._has_warned = False

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.folder = trainer.strategy.broadcast(self.folder)
        if self.start is None:
            self.pending = [named.name for named in self.evaluators]
        super().on_train_start(trainer, pl_module)
        if self.stopped_at is not None:
            trainer.should_stop = True

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self.stopped_at is None:
            super().on_train_end(trainer, pl_module)

    def _evaluate(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> dict[str, float]:
        figures: dict[str, float] = trainer.strategy.broadcast(super()._evaluate(trainer, pl_module))
        if figures:
            self._judge(figures, trainer, pl_module)
        return figures

    def _judge(
        self, figures: dict[str, float], trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Compare a figure with the standard, and act on a drop."""
        evaluator = self.evaluators[0]
        prefix = f"{evaluator.name}_"
        metrics = [name.removeprefix(prefix) for name in figures]
        self.figure = prefix + choose_guard_figure(self.evaluation.spec, evaluator, metrics)
        self.latest = figures[self.figure]
        if self.start is None:
            self.start = self.latest
        if self.latest >= self.start - self.spec.max_drop:
            self.kept_step = trainer.global_step
            if self.spec.on_drop == "stop":
                save_checkpoint(trainer, self.folder.guarded_checkpoint, self.recorder, self.times)
        elif self.spec.on_drop == "stop":
            self._stop(trainer, pl_module)
        elif not self._has_warned:
            self._has_warned = True
            self._report(trainer, "lower the learning rate, train shorter, or write on_drop: stop")

    def _stop(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Restore the weights of the kept state, and end the training."""
        barrier()  # the checkpoint of the main process is complete
        checkpoint = read_checkpoint(self.folder.guarded_checkpoint)
        trainer.strategy.load_model_state_dict(checkpoint, strict=True)
        self.stopped_at = trainer.global_step
        trainer.should_stop = True
        self._report(trainer, f"training ends with the weights of step {self.kept_step}; lower the learning rate")

    def _report(self, trainer: lightning.Trainer, hint: str) -> None:
        if trainer.is_global_zero:
            message = (
                f"{self.figure} fell from {self.start:.3f} to {self.latest:.3f} in epoch {trainer.current_epoch + 1}, "
                f"by more than guard.max_drop = {self.spec.max_drop:g}"
            )
            self.console.print(Text.assemble(("warning:", "yellow"), f" {message}\n  hint: {hint}"))

    def summarize(self) -> dict[str, Any]:
        """Return the figure before the first step and the latest one, and what the guard did, for a summary."""
        return {
            "figure": self.figure,
            "start": self.start,
            "latest": self.latest,
            "max_drop": self.spec.max_drop,
            "kept_step": self.kept_step,
            "stopped_at": self.stopped_at,
        }

    def state_dict(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in _STATE}
        return super().state_dict() | own | {"has_warned": self._has_warned}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        for name in _STATE:
            setattr(self, name, state_dict[name])
        self._has_warned = state_dict["has_warned"]


#: The attributes that a checkpoint holds.
_STATE = ("figure", "start", "latest", "kept_step", "stopped_at")
