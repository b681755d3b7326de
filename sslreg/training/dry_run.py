"""A trial of everything that a training does, with a few steps and images, that leaves nothing behind."""

from __future__ import annotations

import gc
import math
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from rich.console import Console

from sslreg.assembly import NamedEvaluator, SampleDataset, build_baseline, make_views
from sslreg.contracts import Model
from sslreg.errors import UserError
from sslreg.evaluation import Evaluation, embed, evaluate_raw_pixels
from sslreg.runs.folder import RunFolder
from sslreg.runs.run import Run
from sslreg.runs.step_timing import StepTiming
from sslreg.spec import Spec
from sslreg.terminal import TerminalConsole
from sslreg.training.lightning_trainer import quiet_lightning
from sslreg.training.loop import resume_run, start_run
from sslreg.training.training_setup import (
    TrainingSetup,
    build_evaluation,
    build_guard_evaluation,
    prepare,
    try_and_warn,
)

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

#: The least number of optimizer steps before the run is resumed. The first one is not measured.
STEPS = 5
#: The number of measured batches for each worker: two that it loads while others are trained on, and two at its pace.
BATCHES_PER_WORKER = 4
#: The largest number of steps.
MAX_STEPS = 33
#: The number of images of a data set that are embedded: two batches.
IMAGES = 512


@dataclass(frozen=True)
class DryRun:
    """The results of a dry run, and what the training would need.

    Attributes:
        losses: The loss of each step.
        checkpoint_bytes: The size of a checkpoint.
        embedded: The number of images that went through the embedding view.
        evaluated: The names of the evaluators that ran.
        too_few: The evaluators that need more images, with their messages.
        evaluated_images: The number of images that these evaluators got.
        evaluation_seconds: The duration of an evaluation of these images, without the guard; None without evaluators.
        evaluation_images: The number of images in an evaluation of the training.
        memory_bytes: The peak memory of this process, None if unknown.
        worker_bytes: The peak memory of a worker of the data loader, 0 without workers, None if unknown.
        device_bytes: The peak memory on the accelerator, None without one.
        timing: The time of the phases of the training.
        steps_per_epoch: The number of steps in an epoch of the training.
        steps: The number of steps of the whole training.
    """

    losses: list[float]
    checkpoint_bytes: int
    embedded: int
    evaluated: list[str]
    too_few: dict[str, str]
    evaluated_images: int
    evaluation_seconds: float | None
    evaluation_images: int
    memory_bytes: int | None
    worker_bytes: int | None
    device_bytes: int | None
    timing: StepTiming
    steps_per_epoch: int
    steps: int

    @property
    def epoch_seconds(self) -> float:
        """The duration of an epoch without evaluations, estimated from the steps after the first one."""
        return self.timing.step_seconds * self.steps_per_epoch

    @property
    def seconds(self) -> float:
        """The duration of the training without evaluations, estimated from the steps after the first one."""
        return self.timing.step_seconds * self.steps


def dry_run(spec: Spec, *, console: Console | None = None) -> DryRun | None:
    """Train a few steps in a temporary folder, save and load a checkpoint, evaluate a few images, and resume.

    Loggers are built, so that a missing package is noticed, but get nothing. Plugins are not called at the end. Of
    several processes, the main one returns the results and the others None. Raises what a training would raise.
    """
    console = console or TerminalConsole(stderr=True)
    try_and_warn(spec, console)
    with quiet_lightning(), tempfile.TemporaryDirectory(prefix="sslreg-dry-run-") as folder:
        run_folder, result = _train_and_evaluate(spec, RunFolder(Path(folder) / "run", is_temporary=True), console)
        gc.collect()  # the first training is in reference cycles, and would occupy memory during the second
        resume_run(_prepare_short_training(spec, replace(run_folder, is_temporary=True), console, resumes=True))
    return result


def _prepare_short_training(spec: Spec, folder: RunFolder, console: Console, *, resumes: bool = False) -> TrainingSetup:
    """Prepare a training of a few steps without evaluations, loggers and plugins; one more if it resumes."""
    setup = prepare(spec, folder, console)
    setup.evaluation = setup.guard_evaluation = None
    setup.calls_plugins = False
    setup.trainer.loggers = []
    setup.trainer.fit_loop.epoch_loop.max_steps = _count_steps(setup) + resumes
    return setup


def _count_steps(setup: TrainingSetup) -> int:
    """Return the number of steps before the run is resumed. A step remains for that, if the training has two."""
    batches = BATCHES_PER_WORKER * setup.spec.data.workers
    steps = 1 + math.ceil(batches / setup.trainer.accumulate_grad_batches)
    total: int = setup.pipeline.facts["total_steps"]
    return max(1, min(max(STEPS, min(steps, MAX_STEPS)), total - 1))


def _train_and_evaluate(spec: Spec, folder: RunFolder, console: Console) -> tuple[RunFolder, DryRun | None]:
    """Do everything but resume. Return the folder of the main process."""
    setup = _prepare_short_training(spec, folder, console)
    recorder = _LossRecorder()
    setup.trainer.callbacks.append(recorder)  # type: ignore[attr-defined]
    run = start_run(setup)
    if not setup.trainer.is_global_zero:
        return run.folder, None
    trial = _evaluate_subset(setup, run)
    assert run.timing is not None  # the run has ended
    facts, has_workers = setup.pipeline.facts, setup.spec.data.workers > 0
    result = DryRun(
        losses=recorder.losses,
        checkpoint_bytes=run.folder.last_checkpoint.stat().st_size,
        embedded=trial.embedded,
        evaluated=trial.evaluated,
        too_few=trial.too_few,
        evaluated_images=trial.images,
        evaluation_seconds=trial.seconds,
        evaluation_images=trial.all_images,
        memory_bytes=peak_memory(),
        worker_bytes=peak_memory(of_children=True) if has_workers else 0,
        device_bytes=torch.cuda.max_memory_allocated(setup.device) if setup.device.type == "cuda" else None,
        timing=StepTiming(**run.timing["measured"]),
        steps_per_epoch=facts["steps_per_epoch"],
        steps=facts["total_steps"],
    )
    return run.folder, result


@dataclass
class _EvaluationTrial:
    """What a trial of the evaluators has found; see `DryRun`."""

    embedded: int = 0
    evaluated: list[str] = field(default_factory=list)
    too_few: dict[str, str] = field(default_factory=dict)
    images: int = 0
    seconds: float | None = None
    all_images: int = 0


def _evaluate_subset(setup: TrainingSetup, run: Run) -> _EvaluationTrial:
    """Embed a few images, and try each evaluator on them, with the model and the further baselines."""
    model, pipeline = run.model().to(setup.device), setup.pipeline
    evaluation, guard_evaluation = (
        build(pipeline, setup.device) for build in (build_evaluation, build_guard_evaluation)
    )
    trial = _EvaluationTrial()
    if evaluation is None:
        subset = _take_subset(pipeline.train)
        trial.embedded = len(embed(subset, pipeline.embed_collate, model.embed, device=setup.device))
    else:
        models = [model, *_build_baselines(setup, evaluation)]
        _try_evaluators(evaluation, pipeline.evaluators, models, trial)
        _time_evaluation(evaluation, pipeline.evaluators, model, trial)
    if guard_evaluation is not None and pipeline.guard is not None:
        _try_evaluators(guard_evaluation, [pipeline.guard.evaluator], [model], trial)
    return trial


def _build_baselines(setup: TrainingSetup, evaluation: Evaluation) -> list[Model]:
    (images,) = make_views(evaluation.collate, [evaluation.test[0]])
    components = setup.spec.baselines.values()
    models = [build_baseline(setup.pipeline.builder, component, images.shape[1:]) for component in components]
    return [model.to(setup.device) for model in models]


def _try_evaluators(
    evaluation: Evaluation,
    evaluators: Iterable[NamedEvaluator],
    models: Sequence[Model],
    trial: _EvaluationTrial,
) -> None:
    """Try evaluators on a few images.

    Args:
        evaluation: The data sets from which the images are taken.
        evaluators: The evaluators.
        models: The model, and further baselines.
        trial: Receives the results.
    """
    evaluation = _shorten(evaluation)
    trial.embedded += len(evaluation.reference) + len(evaluation.test)
    for named in evaluators:
        try:
            evaluate_raw_pixels(evaluation, [named], models[0].backbone)
            for model in models:
                evaluation.evaluate_model(model, [named])
            trial.evaluated.append(named.name)
        except UserError as error:
            if error.diagnostics[0].code != "cannot-evaluate":
                raise
            trial.too_few[named.name] = error.diagnostics[0].message


def _time_evaluation(
    evaluation: Evaluation, evaluators: Iterable[NamedEvaluator], model: Model, trial: _EvaluationTrial
) -> None:
    """Evaluate a few images as the training does, by all evaluators that have run, and record the duration."""
    able = [named for named in evaluators if named.name in trial.evaluated]
    if not able:
        return
    shortened = _shorten(evaluation)
    start = time.perf_counter()
    shortened.evaluate_model(model, able)
    trial.seconds = time.perf_counter() - start
    trial.images = len(shortened.reference) + len(shortened.test)
    trial.all_images = len(evaluation.reference) + len(evaluation.test)


def _shorten(evaluation: Evaluation) -> Evaluation:
    return replace(evaluation, reference=_take_subset(evaluation.reference), test=_take_subset(evaluation.test))


def _take_subset(samples: SampleDataset) -> SampleDataset:
    """Return samples from the whole set, because the classes of a folder are contiguous."""
    count = min(IMAGES, len(samples))
    return samples.select(np.array([number * len(samples) // count for number in range(count)]))


def peak_memory(*, of_children: bool = False) -> int | None:
    """Return the peak memory in bytes of this process, or of its largest child that has ended; None if unknown."""
    if resource is None:
        return None
    peak = resource.getrusage(resource.RUSAGE_CHILDREN if of_children else resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts kilobytes


class _LossRecorder(Callback):
    """A callback that records the loss of each step."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step > len(self.losses):
            self.losses.append(float(outputs["figures"]["loss"]))
