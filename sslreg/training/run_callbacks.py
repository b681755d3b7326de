"""The callbacks of a run, and the order in which they act."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import lightning.pytorch as lightning
from lightning.pytorch.callbacks import Callback
from rich.console import Console

from sslreg.assembly import Builder, Pipeline
from sslreg.evaluation import Evaluation
from sslreg.runs.folder import RunFolder
from sslreg.spec import Spec
from sslreg.training.callbacks.checkpoint_saver import CheckpointSaver
from sslreg.training.callbacks.collapse_watch import CollapseWatch
from sslreg.training.callbacks.early_stop import EarlyStop, ShouldStop
from sslreg.training.callbacks.forgetting_guard import ForgettingGuard
from sslreg.training.callbacks.metrics_loggers import open_metrics_file
from sslreg.training.callbacks.metrics_recorder import MetricsRecorder
from sslreg.training.callbacks.non_finite_guard import NonFiniteGuard
from sslreg.training.callbacks.periodic_evaluation import PeriodicEvaluation
from sslreg.training.callbacks.progress import TrainingProgress
from sslreg.training.callbacks.skipped_samples import SkippedSamples
from sslreg.training.callbacks.step_timer import StepTimer
from sslreg.training.checkpoints.resume_position import ResumePosition
from sslreg.training.non_finite_cause import NonFiniteSearch
from sslreg.training.step_times import StepTimes
from sslreg.training.stop_signals import StopSignals


@dataclass(frozen=True)
class RunCallbacks:
    """The callbacks of a run, and the search for the cause of numbers that are not finite."""

    search: NonFiniteSearch
    position: ResumePosition
    timer: StepTimer
    guard: NonFiniteGuard | None
    recorder: MetricsRecorder
    collapse_watch: CollapseWatch
    skipped: SkippedSamples
    forgetting_guard: ForgettingGuard | None
    evaluations: PeriodicEvaluation | None
    early_stop: EarlyStop
    checkpoints: CheckpointSaver
    progress: TrainingProgress

    def __iter__(self) -> Iterator[Callback]:
        """Yield the callbacks in the order in which they act: measure, record, evaluate, save."""
        return (callback for callback in vars(self).values() if isinstance(callback, Callback))


def build_callbacks(
    folder: RunFolder,
    pipeline: Pipeline,
    trainer: lightning.Trainer,
    evaluation: Evaluation | None,
    guard_evaluation: Evaluation | None,
    stop: StopSignals,
    console: Console,
    *,
    guard_until: int,
    should_stop: ShouldStop | None = None,
) -> RunCallbacks:
    """Build the callbacks of a run.

    Args:
        folder: The run's folder.
        pipeline: The assembled components.
        trainer: The trainer that gets the callbacks.
        evaluation: The data and settings of the evaluators, None without evaluation.
        guard_evaluation: The same of the guard against forgetting, None without one.
        stop: The signals that ask the run to stop.
        console: Where progress is shown.
        guard_until: The last step that ``engine.on_nan: rewind`` guards.
        should_stop: Decides after an epoch whether the training ends early; None if nobody does.
    """
    spec = pipeline.spec
    source = f"{spec.loss.info}, {spec.model.info}"
    times = StepTimes.on(trainer.strategy.root_device)
    timer = StepTimer(times, pipeline)
    search = NonFiniteSearch(pipeline, trainer)
    guard = _build_guard(spec, guard_until, source, search)
    recorder = MetricsRecorder(
        open_metrics_file(folder, spec, trainer.loggers) if trainer.is_global_zero else None,
        spec.trainer.get("log_every_n_steps", 50),
        source,
        guard,
    )
    evaluations = (
        None if evaluation is None else PeriodicEvaluation(evaluation, pipeline.evaluators, recorder, times, stop)
    )
    forgetting_guard = None
    if guard_evaluation is not None:
        assert spec.guard is not None
        assert pipeline.guard is not None
        evaluator = pipeline.guard.evaluator
        forgetting_guard = ForgettingGuard(
            folder, spec.guard, guard_evaluation, evaluator, recorder, times, stop, console
        )
    return RunCallbacks(
        search=search,
        position=ResumePosition(spec.seed),
        timer=timer,
        guard=guard,
        recorder=recorder,
        collapse_watch=CollapseWatch(recorder, console, stop=spec.engine.on_collapse == "stop"),
        skipped=SkippedSamples(folder, pipeline.train),
        forgetting_guard=forgetting_guard,
        evaluations=evaluations,
        early_stop=EarlyStop(should_stop, recorder, evaluations),
        checkpoints=CheckpointSaver(
            folder, spec.checkpoint, recorder, [one for one in (forgetting_guard, evaluations) if one], stop, times
        ),
        progress=TrainingProgress(console, timer, recorder),
    )


def _build_guard(spec: Spec, guard_until: int, source: str, search: NonFiniteSearch) -> NonFiniteGuard | None:
    match spec.engine.on_nan:
        case "skip":
            return NonFiniteGuard(None, source, search)
        case "rewind":
            return NonFiniteGuard(guard_until, source, search)
    return None


def build_custom_callbacks(folder: RunFolder, pipeline: Pipeline) -> list[Callback]:
    """Build the callbacks that the spec names."""
    builder = Builder(pipeline.spec, {**pipeline.facts, "run_folder": str(folder.path)})
    return [builder.build(component) for component in pipeline.spec.callbacks]
