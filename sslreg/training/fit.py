"""Trains what a spec describes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.pytorch.callbacks import Callback
from rich.console import Console

from sslreg.assembly import Builder, Pipeline, assemble
from sslreg.errors import SslregError
from sslreg.evaluation import Evaluation
from sslreg.spec import Spec
from sslreg.training import provenance
from sslreg.training.announce import announce
from sslreg.training.checkpoints import Checkpoints
from sslreg.training.collapse import CollapseWatch
from sslreg.training.data import training_loader
from sslreg.training.evaluations import Evaluations
from sslreg.training.logged_metrics import metrics_file
from sslreg.training.meter import Meter
from sslreg.training.metrics import MetricsFile
from sslreg.training.module import TrainingModule
from sslreg.training.position import Position
from sslreg.training.progress import TrainingProgress
from sslreg.training.recorder import Recorder
from sslreg.training.run import Run
from sslreg.training.run_folder import RunFolder, replace_file, write_json
from sslreg.training.skipped import SkippedSamples
from sslreg.training.trainer import build_trainer, quiet_lightning
from sslreg.training.sync_batch_norm import refuse_other_layers


def train(spec: Spec, out: str | Path | None = None, *, console: Console | None = None) -> Run:
    """Train what `spec` describes and return the finished run.

    out: the run's folder, new or empty; by default ``runs/NAME/TIMESTAMP``. console: where progress is shown (standard
    error if not given). The folder is made only once everything has been built and fits, so a UserError
    leaves nothing behind; what fails later leaves a folder whose summary says so.
    """
    console = console or Console(stderr=True)
    with quiet_lightning():
        folder = RunFolder(Path(out)) if out is not None else RunFolder.default(spec.name)
        return prepared(spec, folder, console).run()


def prepared(spec: Spec, folder: RunFolder, console: Console) -> Training:
    """Everything that a training needs, with nothing written yet. UserError: something does not fit."""
    trainer = build_trainer(spec, folder)
    device = trainer.strategy.root_device
    pipeline = assemble(spec, world_size=trainer.world_size, device=None if device.type == "cpu" else device)
    return Training(spec, folder, trainer, pipeline, console)
    if trainer.world_size > 1 and spec.trainer.get("sync_batchnorm"):
        refuse_other_layers(spec, pipeline.model)


class Training:
    """One run in progress: the objects that its stages share."""

    def __init__(
        self, spec: Spec, folder: RunFolder, trainer: lightning.Trainer, pipeline: Pipeline, console: Console
    ) -> None:
        self.spec = spec
        self.folder = folder
        self.trainer = trainer
        self.pipeline = pipeline
        self.console = console
        self.evaluation = _evaluation(pipeline, trainer.strategy.root_device)
        self.meter = Meter(spec.data.batch_size)
        self.skipped = SkippedSamples(folder, pipeline.train)
        self.summary: dict[str, Any] = {"name": spec.name, "status": "running", "resumed_at": []}
        self.summary["learning_rate"] = float(f"{pipeline.learning_rate:.6g}")

    def run(self) -> Run:
        """Train from the beginning, into a new folder."""
        if self.trainer.is_global_zero:
            self.summary["baseline"] = self._baseline()
            self.folder.create()
            self.folder.spec.write_text(self.spec.source)
            self.folder.resolved_spec.write_text(self.spec.to_yaml())
            write_json(self.folder.lock, provenance.lock(self.spec, self.pipeline.facts))
            write_json(self.folder.summary, self.summary)
        return self._fit()

    def resume(self, step: int, epoch: int, batches: int) -> Run:
        """Go on from the last checkpoint, which was made after `step` steps, with `batches` of `epoch` done."""
        self.summary.update(json.loads(self.folder.summary.read_text()), status="running")
        self.summary["resumed_at"] = [*self.summary["resumed_at"], step]
        if self.trainer.is_global_zero:
            replace_file(self.folder.resolved_spec, self.spec.to_yaml().encode())
            write_json(self.folder.lock, json.loads(self.folder.lock.read_text()) | {"facts": self.pipeline.facts})
            write_json(self.folder.summary, self.summary)
            MetricsFile(self.folder.metrics).drop_after(step)
        return self._fit(epoch, batches, self.folder.last_checkpoint)

    def _fit(self, epoch: int = 0, batches: int = 0, checkpoint: Path | None = None) -> Run:
        loggers = self.trainer.loggers
        metrics = metrics_file(self.folder, self.spec, loggers) if self.trainer.is_global_zero else None
        recorder = Recorder(
            metrics,
            self.spec.trainer.get("log_every_n_steps", 50),
            f"{self.spec.loss.info}, {self.spec.model.info}",
        )
        checkpoints = Checkpoints(self.folder, self.spec.checkpoint.every_minutes, recorder, self.spec.checkpoint.best)
        evaluations = self._attach(recorder, checkpoints)
        module = TrainingModule(self.pipeline)
        if self.spec.engine.compile:
            # The backbone alone, in place: its parameters keep their names in checkpoints.
            self.pipeline.model.backbone.compile()
        loader = training_loader(
            self.pipeline,
            rank=self.trainer.global_rank,
            world_size=self.trainer.world_size,
            device=self.trainer.strategy.root_device,
            epoch=epoch,
            batches=batches,
        )
        try:
            self.trainer.fit(module, loader, ckpt_path=checkpoint, weights_only=True)
        except SystemExit as exit_:  # what Lightning makes of an interrupt
            self._finish("interrupted", recorder, evaluations)
            raise SslregError(
                f"interrupted; what was trained is in {self.folder.path}",
                hint=f"go on with: sslreg train --resume {self.folder.path}",
                code="interrupted",
            ) from exit_
        except BaseException:
            self._finish("failed", recorder, evaluations)
            raise
        self._finish("finished", recorder, evaluations)
        return Run(checkpoints.folder.path)

    def _baseline(self) -> dict[str, dict[str, float]]:
        """What the evaluators say of raw pixels and of the backbone before training."""
        if self.evaluation is None:
            return {}
        self.console.print("evaluating raw pixels and the untrained backbone", style="dim")
        model = self.pipeline.model.to(self.trainer.strategy.root_device)
        return {
            "raw_pixels": self.evaluation.of_raw_pixels(self.pipeline.evaluators),
            "untrained": self.evaluation.of_model(model, self.pipeline.evaluators),
        }

    def _attach(self, recorder: Recorder, checkpoints: Checkpoints) -> Evaluations | None:
        """Give the trainer its callbacks, in the order in which they act: measure, record, evaluate, save."""
        evaluations = (
            Evaluations(self.evaluation, self.pipeline.evaluators, recorder, self.meter) if self.evaluation else None
        )
        own = [
            Position(self.spec.seed),
            self.meter,
            recorder,
            CollapseWatch(recorder, self.console, stop=self.spec.engine.on_collapse == "stop"),
            self.skipped,
            evaluations,
            checkpoints,
            TrainingProgress(self.console, self.meter, recorder),
        ]
        builder = Builder(self.spec, {**self.pipeline.facts, "run_folder": str(self.folder.path)})
        theirs = [builder.build(component) for component in self.spec.callbacks]
        callbacks: list[Callback] = self.trainer.callbacks  # type: ignore[attr-defined]
        callbacks += [callback for callback in (*theirs, *own) if callback is not None]
        return evaluations

    def _finish(self, status: str, recorder: Recorder, evaluations: Evaluations | None) -> None:
        if not self.trainer.is_global_zero:
            return
        final = {} if evaluations is None else dict(evaluations.final)
        if "loss" in recorder.latest:
            final["loss"] = recorder.latest["loss"]
        self.summary.update(
            status=status,
            epochs=self.trainer.current_epoch,
            steps=self.trainer.global_step,
            images_per_second=round(self.meter.images_per_second, 1),
            waiting_for_data=round(self.meter.waiting_share, 4),
            skipped_samples=self.skipped.count,
            final=final,
        )
        write_json(self.folder.summary, self.summary)
        announce(Run(self.folder.path))


def _evaluation(pipeline: Pipeline, device: torch.device) -> Evaluation | None:
    if pipeline.reference is None or pipeline.test is None:
        return None
    return Evaluation(pipeline.spec, pipeline.reference, pipeline.test, pipeline.embed_collate, device)
