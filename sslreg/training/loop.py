"""Trains what a spec describes."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.pytorch.callbacks import Callback
from rich.console import Console

from sslreg.assembly import Builder, Pipeline, assemble
from sslreg.atomic_files import write_json, write_text
from sslreg.evaluation import Evaluation, evaluate_baselines
from sslreg.runs import provenance
from sslreg.runs.checkpoint_file import newest_checkpoint, set_damaged_aside
from sslreg.runs.folder import RunFolder
from sslreg.runs.metrics_file import MetricsFile
from sslreg.runs.run import Run
from sslreg.runs.run_hooks import announce
from sslreg.runs.run_lock import in_use
from sslreg.spec import Spec
from sslreg.training.callbacks.checkpoint_saver import CheckpointSaver
from sslreg.training.callbacks.collapse_watch import CollapseWatch
from sslreg.training.callbacks.metrics_loggers import metrics_file
from sslreg.training.callbacks.metrics_recorder import MetricsRecorder
from sslreg.training.callbacks.non_finite_guard import Guard
from sslreg.training.callbacks.periodic_evaluation import PeriodicEvaluation
from sslreg.training.callbacks.progress import TrainingProgress
from sslreg.training.callbacks.skipped_samples import SkippedSamples
from sslreg.training.callbacks.throughput import Throughput
from sslreg.training.checkpoints.resume_position import ResumePosition
from sslreg.training.data_loader import training_loader
from sslreg.training.distributed.collectives import exit_together
from sslreg.training.distributed.ranks import in_turn, require_all_processes
from sslreg.training.distributed.sync_batch_norm import refuse_other_layers
from sslreg.training.distributed.watchdog import watched
from sslreg.training.exit_status import before_the_first_step, ending
from sslreg.training.lightning_module import TrainingModule
from sslreg.training.lightning_trainer import build_trainer, quiet_lightning
from sslreg.training.rewind import rewind_on_non_finite, rewinding
from sslreg.training.stop_signals import StopRequested, StopSignals


def train(spec: Spec, out: str | Path | None = None, *, console: Console | None = None) -> Run:
    """Train what `spec` describes and return the finished run.

    out: the run's folder, new or empty; by default ``runs/NAME/TIMESTAMP``. console: where progress is shown (standard
    error if not given). The folder is made only once everything has been built and fits, so a UserError
    leaves nothing behind; what fails later leaves a folder whose summary says so.

    SIGTERM, SIGUSR1 and Ctrl-C finish the running step and raise InterruptedRunError, with a checkpoint written; a
    second Ctrl-C raises StoppedRunError at once.
    """
    console = console or Console(stderr=True)
    with quiet_lightning():
        folder = RunFolder(Path(out)) if out is not None else RunFolder.default(spec.name)
        return _rewinding(spec, folder, console, Training.run)


def go_on(spec: Spec, folder: RunFolder, console: Console) -> Run:
    """Go on with a run from its newest checkpoint that is whole, and return it when it is finished."""
    with quiet_lightning():
        return _rewinding(spec, folder, console, Training.resume)


def _rewinding(spec: Spec, folder: RunFolder, console: Console, start: Callable[[Training], Run]) -> Run:
    def again(folder: RunFolder, until: int, may_rewind: bool) -> Run:
        training = prepared(spec, folder, console)
        training.guard_until, training.may_rewind = until, may_rewind
        return training.resume(rewound=True)

    return rewinding(lambda: start(prepared(spec, folder, console)), again, console)


def prepared(spec: Spec, folder: RunFolder, console: Console) -> Training:
    """Everything that a training needs, with nothing written yet. UserError: something does not fit."""
    trainer = build_trainer(spec, folder)
    require_all_processes(spec, trainer)
    device = trainer.strategy.root_device
    place = None if device.type == "cpu" else device
    pipeline = in_turn(trainer, lambda: assemble(spec, world_size=trainer.world_size, device=place))
    if trainer.world_size > 1 and spec.trainer.get("sync_batchnorm"):
        refuse_other_layers(spec, pipeline.model)
    return Training(spec, folder, trainer, pipeline, console)


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
        self.evaluation = evaluation_of(pipeline, trainer.strategy.root_device)
        self.meter = Throughput(spec.data.batch_size)
        self.skipped = SkippedSamples(folder, pipeline.train)
        self.stop = StopSignals()
        self.guard_until = 0
        self.may_rewind = spec.engine.on_nan == "rewind"
        self.summary: dict[str, Any] = {"name": spec.name, "status": "running", "resumed_at": []}
        self.summary["learning_rate"] = float(f"{pipeline.learning_rate:.6g}")
        self.tells_plugins = True

    def run(self) -> Run:
        """Train from the beginning, into a new folder."""
        with self.stop:
            with exit_together():
                if self.trainer.is_global_zero:
                    self.summary["baseline"] = self._baseline()
                    self.folder.create()
            with self._claimed():
                if self.trainer.is_global_zero:
                    write_text(self.folder.spec, self.spec.source)
                    write_text(self.folder.resolved_spec, self.spec.to_yaml())
                    write_json(self.folder.lock, provenance.lock(self.spec, self.pipeline.facts))
                    write_json(self.folder.summary, self.summary)
                return self._fit()

    def resume(self, *, rewound: bool = False) -> Run:
        """Go on from the newest checkpoint that is whole. rewound: this process comes from a later step."""
        with self.stop, self._claimed():
            with exit_together():
                self._require_same_data()
                if self.trainer.is_global_zero:
                    path, checkpoint = newest_checkpoint(self.folder)
                    if path != self.folder.last_checkpoint:
                        set_damaged_aside(self.folder)
                    self._reopen(checkpoint, "rewound_at" if rewound else "resumed_at")
            _, checkpoint = newest_checkpoint(self.folder)
            position = checkpoint["callbacks"]["ResumePosition"]
            return self._fit(position["epoch"], position["batches"], self.folder.last_checkpoint)

    def _require_same_data(self) -> None:
        """UserError: the order of the samples would be another one, since they are more or fewer."""
        before, now = (facts["num_samples"] for facts in (Run(self.folder.path).facts, self.pipeline.facts))
        if before != now:
            raise self.spec.error(
                ("data", "train"),
                "data-changed",
                f"the training set has {now} samples, and had {before} when {self.folder.path} was begun",
                "put back what is missing, or take away what was added",
            )

    def _reopen(self, checkpoint: dict[str, Any], how: str) -> None:
        """Set the folder back to what it was when the checkpoint was written."""
        self.summary.update(json.loads(self.folder.summary.read_text()), status="running")
        self.summary[how] = [*self.summary.get(how, []), checkpoint["global_step"]]
        write_text(self.folder.resolved_spec, self.spec.to_yaml())
        lock = json.loads(self.folder.lock.read_text())
        self._tell_of_move(lock["facts"]["world_size"], self.trainer.world_size)
        write_json(self.folder.lock, lock | {"facts": self.pipeline.facts})
        write_json(self.folder.summary, self.summary)
        MetricsFile(self.folder.metrics).keep(checkpoint["callbacks"]["MetricsRecorder"]["rows"])

    def _tell_of_move(self, before: int, now: int) -> None:
        if before != now:
            self.console.print(
                f"the run began in {before} processes and goes on in {now}: its batches stay the same, but rounding, "
                "draws from generators and, without trainer.sync_batchnorm, batch statistics are others from here on",
                style="yellow",
                highlight=False,
            )

    def _claimed(self) -> AbstractContextManager[None]:
        """The folder, held by the process that writes it."""
        return in_use(self.folder) if self.trainer.is_global_zero else nullcontext()

    def _fit(self, epoch: int = 0, batches: int = 0, checkpoint: Path | None = None) -> Run:
        source = f"{self.spec.loss.info}, {self.spec.model.info}"
        guard = self._guard(source)
        recorder = MetricsRecorder(
            metrics_file(self.folder, self.spec, self.trainer.loggers) if self.trainer.is_global_zero else None,
            self.spec.trainer.get("log_every_n_steps", 50),
            source,
            guard,
        )
        evaluations = self._evaluations(recorder)
        checkpoints = CheckpointSaver(self.folder, self.spec.checkpoint, recorder, evaluations, self.stop)
        finish = partial(self._finish, recorder=recorder, evaluations=evaluations, guard=guard)
        with ending(self.trainer, checkpoints, finish):
            self._attach(guard, recorder, evaluations, checkpoints)
            module = TrainingModule(self.pipeline, guard)
            # Before a checkpoint is loaded: double precision would not survive the way through single.
            self.trainer.precision_plugin.convert_module(module)
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
            back = rewind_on_non_finite(checkpoints) if self.may_rewind else nullcontext()
            with watched(self.trainer, self.folder, self.console), back:
                self.trainer.fit(module, loader, ckpt_path=checkpoint, weights_only=True)
            if not checkpoints.started:
                # All was trained, and only its end is missing; Lightning then calls nothing.
                module.to(self.trainer.strategy.root_device)
                if evaluations is not None and not evaluations.final:
                    evaluations.on_train_end(self.trainer, module)
                checkpoints.on_train_end(self.trainer, module)
        return Run(checkpoints.folder.path)

    def _guard(self, source: str) -> Guard | None:
        match self.spec.engine.on_nan:
            case "skip":
                return Guard(None, source)
            case "rewind":
                return Guard(self.guard_until, source)
        return None

    def _baseline(self) -> dict[str, dict[str, float]]:
        """What the evaluators say of raw pixels and of the backbone before training."""
        if self.evaluation is None:
            return {}
        try:
            with self.stop.interruptible():
                return self._evaluate_baseline(self.evaluation)
        except StopRequested as request:
            raise before_the_first_step(self.stop.received) from request

    def _evaluate_baseline(self, evaluation: Evaluation) -> dict[str, dict[str, float]]:
        self.console.print("evaluating raw pixels and the untrained backbone", style="dim")
        model = self.pipeline.model.to(self.trainer.strategy.root_device)
        return evaluate_baselines(evaluation, model, self.pipeline.evaluators)

    def _evaluations(self, recorder: MetricsRecorder) -> PeriodicEvaluation | None:
        if self.evaluation is None:
            return None
        return PeriodicEvaluation(self.evaluation, self.pipeline.evaluators, recorder, self.meter, self.stop)

    def _attach(
        self,
        guard: Guard | None,
        recorder: MetricsRecorder,
        evaluations: PeriodicEvaluation | None,
        checkpoints: CheckpointSaver,
    ) -> None:
        """Give the trainer its callbacks, in the order in which they act: measure, record, evaluate, save."""
        own = [
            ResumePosition(self.spec.seed),
            self.meter,
            guard,
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

    def _finish(
        self, status: str, recorder: MetricsRecorder, evaluations: PeriodicEvaluation | None, guard: Guard | None
    ) -> None:
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
            skipped_steps=0 if guard is None else guard.count,
            final=final,
        )
        write_json(self.folder.summary, self.summary)
        if self.tells_plugins:
            announce(Run(self.folder.path))


def evaluation_of(pipeline: Pipeline, device: torch.device) -> Evaluation | None:
    """What the spec's evaluators need, where it names the data for them."""
    if pipeline.reference is None or pipeline.test is None:
        return None
    return Evaluation(pipeline.spec, pipeline.reference, pipeline.test, pipeline.embed_collate, device)
