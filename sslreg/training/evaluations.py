"""Evaluates while training, every so many epochs and at the end."""

from __future__ import annotations

from collections.abc import Iterable

import lightning.pytorch as lightning
from lightning.pytorch.callbacks import Callback

from sslreg.assembly import NamedEvaluator
from sslreg.evaluation import Evaluation
from sslreg.training.meter import Meter
from sslreg.training.module import TrainingModule
from sslreg.training.recorder import Recorder


class Evaluations(Callback):
    """Runs the spec's evaluators; the figures go to metrics.csv and, for the last ones, into `final`."""

    def __init__(
        self, evaluation: Evaluation, evaluators: Iterable[NamedEvaluator], recorder: Recorder, meter: Meter
    ) -> None:
        self.evaluation = evaluation
        self.evaluators = list(evaluators)
        self.recorder = recorder
        self.meter = meter
        self.final: dict[str, float] = {}
        self._epoch = 0

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._epoch = trainer.current_epoch
        done = self._epoch + 1
        due = [named for named in self.evaluators if named.every and done % named.every == 0]
        if due and done != trainer.max_epochs:  # the end has its own
            self._evaluate(trainer, pl_module, due)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.final = self._evaluate(trainer, pl_module, self.evaluators)

    def _evaluate(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, evaluators: list[NamedEvaluator]
    ) -> dict[str, float]:
        self.recorder.flush(trainer)
        if not trainer.is_global_zero:
            trainer.strategy.barrier("evaluation")
            return {}
        assert isinstance(pl_module, TrainingModule)
        figures = self.evaluation.of_model(pl_module.result, evaluators)
        self.recorder.record_evaluation({"step": trainer.global_step, "epoch": self._epoch, **figures})
        self.meter.pause()
        trainer.strategy.barrier("evaluation")
        return figures
