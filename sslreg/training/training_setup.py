"""The preparation of a training: everything is built and tried, and nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial

import lightning.pytorch as lightning
import torch
from rich.console import Console

from sslreg.assembly import Pipeline, assemble, count_samples, try_spec
from sslreg.assembly.loader_workers import prepare_for_workers
from sslreg.evaluation import Evaluation
from sslreg.runs.folder import RunFolder
from sslreg.runs.run_lock import hold_run_lock
from sslreg.runs.run_writer import RunWriter
from sslreg.spec import Spec
from sslreg.spec.diagnostic_rendering import render
from sslreg.training.callbacks.early_stop import ShouldStop
from sslreg.training.distributed.ranks import is_main_process, require_all_processes, run_main_process_first
from sslreg.training.distributed.sync_batch_norm import require_replaceable_layers
from sslreg.training.exit_status import not_started_error
from sslreg.training.lightning_trainer import build_trainer
from sslreg.training.rewind_to_checkpoint import RewindHistory
from sslreg.training.stop_signals import StopRequested, StopSignals


@dataclass
class TrainingSetup:
    """The objects of one attempt to train. Nothing is written yet.

    Attributes:
        spec: The spec.
        folder: The run's folder.
        console: Where progress is shown.
        trainer: Lightning's trainer.
        pipeline: The assembled components.
        evaluation: The data and settings of the evaluators, None without evaluation.
        guard_evaluation: The same of the guard against forgetting, None without one.
        writer: The writer of the run's spec, lock and summary.
        stop: The signals that ask the run to stop.
        rewinds: The rewinds so far.
        calls_plugins: Whether plugins are called when the run has ended.
        should_stop: Decides after an epoch whether the training ends early; None if nobody does.
    """

    spec: Spec
    folder: RunFolder
    console: Console
    trainer: lightning.Trainer
    pipeline: Pipeline
    evaluation: Evaluation | None
    guard_evaluation: Evaluation | None
    writer: RunWriter
    stop: StopSignals = field(default_factory=StopSignals)
    rewinds: RewindHistory = field(default_factory=partial(RewindHistory, enabled=False))
    calls_plugins: bool = True
    should_stop: ShouldStop | None = None

    @property
    def device(self) -> torch.device:
        """The device of this process."""
        return self.trainer.strategy.root_device

    def hold_lock(self) -> AbstractContextManager[None]:
        """Hold the lock of the folder in the main process, which writes it."""
        return hold_run_lock(self.folder) if self.trainer.is_global_zero else nullcontext()


def prepare(spec: Spec, folder: RunFolder, console: Console) -> TrainingSetup:
    """Build everything that a training needs. The spec has been tried with `try_spec`.

    Raises:
        UserError: Something does not fit.
        InterruptedRunError: A signal arrived.
    """
    with interruptible_start() as stop:
        return _prepare(spec, folder, console, stop)


def try_and_warn(spec: Spec, console: Console) -> None:
    """Try a spec, and print the warnings that only the trial finds.

    Raises:
        UserError: Something does not fit.
        InterruptedRunError: A signal arrived.
    """
    with interruptible_start():
        warnings = [warning for warning in try_spec(spec) if warning not in spec.warnings]
    if warnings and is_main_process():
        console.print(render(warnings, spec.sources))


@contextmanager
def interruptible_start() -> Iterator[StopSignals]:
    """Listen to signals in the block, in which nothing is trained yet.

    Raises:
        InterruptedRunError: A signal arrived.
    """
    stop = StopSignals()
    try:
        with stop, stop.interruptible():
            yield stop
    except StopRequested as request:
        raise not_started_error(stop) from request


def _prepare(spec: Spec, folder: RunFolder, console: Console, stop: StopSignals) -> TrainingSetup:
    prepare_for_workers(spec.data.workers)
    trainer = build_trainer(spec, folder)
    require_all_processes(spec, trainer)
    device = trainer.strategy.root_device
    accelerator = None if device.type == "cpu" else device
    pipeline = run_main_process_first(
        trainer, lambda: assemble(spec, world_size=trainer.world_size, device=accelerator)
    )
    if trainer.world_size > 1 and spec.trainer.get("sync_batchnorm"):
        require_replaceable_layers(spec, pipeline.model)
    writer = RunWriter(
        folder,
        spec,
        pipeline.facts,
        count_samples(pipeline.datasets),
        pipeline.loaded_weights,
        learning_rate=pipeline.learning_rate,
    )
    evaluations = build_evaluation(pipeline, device), build_guard_evaluation(pipeline, device)
    return TrainingSetup(spec, folder, console, trainer, pipeline, *evaluations, writer, stop)


def build_evaluation(pipeline: Pipeline, device: torch.device) -> Evaluation | None:
    """Return the data and settings of the evaluators, None if the spec names no data for them."""
    if pipeline.reference is None or pipeline.test is None:
        return None
    return Evaluation(pipeline.spec, pipeline.reference, pipeline.test, pipeline.embed_collate, device)


def build_guard_evaluation(pipeline: Pipeline, device: torch.device) -> Evaluation | None:
    """Return the data and settings of the guard against forgetting, None without one."""
    if pipeline.guard is None:
        return None
    return Evaluation(pipeline.spec, pipeline.guard.reference, pipeline.guard.test, pipeline.embed_collate, device)
