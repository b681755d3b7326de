"""The story of a run: prepare, evaluate the baselines, create or reopen the folder, fit, rewind and retry, finish."""

from __future__ import annotations

import gc
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import Callback
from rich.console import Console
from torch.utils.data import DataLoader

from sslreg.assembly import (
    blame_components,
    build_model,
    describe_missing_classes,
    describe_parts,
    require_best_figure,
    starts_from_weights,
)
from sslreg.errors import SslregError
from sslreg.runs.baseline_digests import find_embedding_component
from sslreg.runs.baseline_evaluation import BaselineEvaluation
from sslreg.runs.bottlenecks import report_timing
from sslreg.runs.checkpoint_file import load_newest_checkpoint, promote_previous_checkpoint, read_position
from sslreg.runs.folder import RunFolder, claim_default_folder
from sslreg.runs.run import Run
from sslreg.runs.run_hooks import call_run_finished
from sslreg.spec import Spec, load_spec
from sslreg.terminal import TerminalConsole
from sslreg.training.callbacks.early_stop import ShouldStop
from sslreg.training.callbacks.non_finite_guard import NON_FINITE_INPUT, NonFiniteError
from sslreg.training.checkpoints.content import explain_failed_restoring
from sslreg.training.checkpoints.frozen_modules import require_same_frozen_modules
from sslreg.training.data_loader import build_training_loader
from sslreg.training.distributed.collectives import exit_together
from sslreg.training.distributed.ranks import is_main_process
from sslreg.training.distributed.watchdog import watch_processes
from sslreg.training.exit_status import end_waiting_process, not_started_error, record_exit
from sslreg.training.lightning_module import TrainingModule
from sslreg.training.lightning_trainer import quiet_lightning
from sslreg.training.non_finite_cause import share_cause
from sslreg.training.rewind_to_checkpoint import RewindHistory, RewindRun, build_rewind
from sslreg.training.run_callbacks import RunCallbacks, build_callbacks, build_custom_callbacks
from sslreg.training.stop_signals import StopRequested
from sslreg.training.training_setup import TrainingSetup, prepare, try_and_warn


def train(
    spec: Spec | str | Path,
    out: str | Path | None = None,
    *,
    console: Console | None = None,
    should_stop: ShouldStop | None = None,
) -> Run:
    """Train what a spec describes and return the finished run.

    The folder is created only after everything has been built and fits, so that a UserError leaves nothing behind. A
    later failure leaves a folder whose summary says so.

    SIGTERM, SIGUSR1 and Ctrl-C finish the running step, write a checkpoint and raise InterruptedRunError. A second
    Ctrl-C raises StoppedRunError at once.

    Args:
        spec: The spec, or its file or name, as for `sslreg.load_spec`.
        out: The run's folder, new or empty; by default ``runs/NAME/TIMESTAMP``.
        console: Where progress is shown; by default standard error.
        should_stop: A function that is called after each epoch but the last, in the main process, with the number of
            finished epochs and the figures of that moment: those of the evaluators that ran after the epoch, those that
            detect a collapse, and the loss and the schedules of the last step. If it returns True, the training ends
            there: the run is finished, and ``ended_early`` in its summary is true. The function must not draw from
            global random generators.
    """
    if not isinstance(spec, Spec):
        spec = load_spec(spec)
    console = console or TerminalConsole(stderr=True)
    if out is not None:
        folder = RunFolder(Path(out))
        if is_main_process():
            folder.require_free()
        return train_to_end(spec, folder, console, resume=False, should_stop=should_stop)
    # The other processes learn the main one's folder when training starts.
    default = claim_default_folder(spec.name) if is_main_process() else nullcontext(RunFolder.default(spec.name))
    with default as folder:
        return train_to_end(spec, folder, console, resume=False, should_stop=should_stop)


def train_to_end(
    spec: Spec, folder: RunFolder, console: Console, *, resume: bool, should_stop: ShouldStop | None = None
) -> Run:
    """Train from the start, or from the newest whole checkpoint, until the run is finished.

    With ``engine.on_nan: rewind``, numbers that are not finite make the run prepare everything anew and resume from its
    last checkpoint.
    """
    rewinds = RewindHistory(enabled=spec.engine.on_nan == "rewind")
    with quiet_lightning():
        try_and_warn(spec, console)
        while True:
            setup = prepare(spec, folder, console)
            setup.rewinds, setup.should_stop = rewinds, should_stop
            try:
                return resume_run(setup) if resume or len(rewinds) else start_run(setup)
            except RewindRun as rewind:
                if is_main_process():
                    message = f"{rewind}; going back to step {rewind.checkpoint}"
                    console.print(message, style="yellow", highlight=False)
                rewinds.add(rewind)
                folder = rewind.folder
            # Free what has trained so far before everything is built again. It contains reference cycles.
            del setup
            gc.collect()


def start_run(setup: TrainingSetup) -> Run:
    """Train from the start, into a new folder."""
    baselines: BaselineEvaluation | None = None
    with setup.stop:
        with exit_together():
            if setup.trainer.is_global_zero:
                print_parts(setup)
                print_weights(setup)
                baselines = evaluate_baselines(setup)
                require_best_figure(setup.spec, None if baselines is None else baselines.metrics["untrained"])
                setup.folder.create()
        setup.stop.end_process = partial(end_waiting_process, setup.trainer, setup.folder)
        with setup.hold_lock():
            if setup.trainer.is_global_zero:
                setup.writer.start(baselines)
            return fit(setup)


def print_parts(setup: TrainingSetup) -> None:
    """Print how many samples each data set has, and which classes a part of a split lacks."""
    datasets = setup.pipeline.datasets
    setup.console.print(describe_parts(datasets), style="dim", highlight=False)
    if setup.spec.data.split is not None or setup.spec.data.validation is not None:
        for warning in describe_missing_classes(datasets):
            setup.console.print(warning, style="yellow", highlight=False)


def print_weights(setup: TrainingSetup) -> None:
    """Print from which weights each backbone starts, and what was not loaded."""
    for path, weights in setup.writer.weights.items():
        setup.console.print(f"{path}: {weights.describe()}", style="dim", highlight=False, markup=False)


def evaluate_baselines(setup: TrainingSetup) -> BaselineEvaluation | None:
    """Evaluate the baselines, as far as no run has evaluated them before; None without evaluation."""
    pipeline, evaluation = setup.pipeline, setup.evaluation
    if evaluation is None:
        return None
    component = find_embedding_component(setup.spec, pipeline.model)
    starts_random = not starts_from_weights(setup.spec, pipeline.model.backbone)
    evaluation.compute_checksum = True
    baselines = BaselineEvaluation(evaluation, pipeline.evaluators, console=setup.console)
    try:
        with setup.stop.interruptible(), evaluation.progress.show(setup.console):
            setup.console.print("evaluating baselines", style="dim")
            baselines.evaluate_model("untrained" if starts_random else "starting", component, lambda: pipeline.model)
            if not starts_random:
                baselines.evaluate_model(
                    "untrained", component, partial(build_model, pipeline.builder, read_weights=False)
                )
            baselines.evaluate_raw_pixels(pipeline.model.backbone)
            baselines.evaluate_further(pipeline.builder)
            evaluation.compute_checksum = False
            return baselines
    except StopRequested as request:
        raise not_started_error(setup.stop) from request


def resume_run(setup: TrainingSetup) -> Run:
    """Train from the newest whole checkpoint in the folder."""
    setup.stop.end_process = partial(end_waiting_process, setup.trainer, setup.folder)
    with setup.stop, setup.hold_lock():
        with exit_together():
            require_same_data(setup)
            path, checkpoint = load_newest_checkpoint(setup.folder)
            epoch, batches = read_position(path, checkpoint)
            require_same_frozen_modules(checkpoint, setup.pipeline)
            del checkpoint
            if setup.trainer.is_global_zero:
                reopen_folder(setup)
        return fit(setup, setup.folder.last_checkpoint, epoch, batches)


def require_same_data(setup: TrainingSetup) -> None:
    """Raise a UserError if the training set has other samples, as far as that is known.

    Another number of samples would change their order. The fingerprint of a part or a subset also shows an exchange.
    """
    before, now = Run(setup.folder.path).facts["num_samples"], setup.pipeline.facts["num_samples"]
    parts = setup.writer.read_lock()["data"]["train"], setup.writer.data["train"]
    if before == now and parts[0] != parts[1]:
        raise setup.spec.error(
            ("data", "train"),
            "data-changed",
            f"the training set has other samples than when {setup.folder.path} was started",
            "restore the files of that time",
        )
    if before != now:
        raise setup.spec.error(
            ("data", "train"),
            "data-changed",
            f"the training set has {now} samples, and had {before} when {setup.folder.path} was started",
            "restore the samples that are missing, or remove those that were added",
        )


def reopen_folder(setup: TrainingSetup) -> None:
    """Restore the folder to its state when the newest whole checkpoint was written."""
    path, checkpoint = load_newest_checkpoint(setup.folder)
    if path != setup.folder.last_checkpoint:
        promote_previous_checkpoint(setup.folder)
    before, now = setup.writer.read_lock()["facts"]["world_size"], setup.trainer.world_size
    if before != now:
        setup.console.print(
            f"the run started in {before} processes and resumes in {now}: its batches stay the same. Rounding, random "
            "draws and, without trainer.sync_batchnorm, batch statistics differ from now on",
            style="yellow",
            highlight=False,
        )
    setup.writer.reopen(checkpoint, "rewound_at" if len(setup.rewinds) else "resumed_at")


def fit(setup: TrainingSetup, checkpoint: Path | None = None, epoch: int = 0, batches: int = 0) -> Run:
    """Train to the end, and record how the training exits.

    Args:
        setup: The objects of the training.
        checkpoint: The checkpoint to load, None for a new run.
        epoch: The epoch of the first batch.
        batches: The number of batches of that epoch that are done.
    """
    if setup.evaluation is not None:  # before, a new run had no folder
        setup.evaluation.unfinished = setup.folder.unfinished_evaluations
    callbacks = build_callbacks(
        setup.folder,
        setup.pipeline,
        setup.trainer,
        setup.evaluation,
        setup.guard_evaluation,
        setup.stop,
        setup.console,
        guard_until=setup.rewinds.guard_until,
        should_stop=setup.should_stop,
    )
    with record_exit(setup.trainer, callbacks.checkpoints, partial(write_summary, setup, callbacks)):
        add_callbacks(setup, callbacks)
        times = callbacks.timer.times
        module = TrainingModule(setup.pipeline, callbacks.guard, times.clock)
        # Before a checkpoint is loaded: its double precision must not pass through single precision.
        setup.trainer.precision_plugin.convert_module(module)
        if setup.spec.engine.compile:
            for trained in setup.pipeline.model.trained_modules():
                trained.compile()  # in place: its parameters keep their names in checkpoints
        loader = build_training_loader(
            setup.pipeline,
            rank=setup.trainer.global_rank,
            world_size=setup.trainer.world_size,
            device=setup.device,
            epoch=epoch,
            batches=batches,
            times=times,
        )
        fit_or_request_rewind(setup, callbacks, module, loader, checkpoint)
        if not callbacks.checkpoints.started:
            finish_trained_run(setup, callbacks, module)
    return Run(callbacks.checkpoints.folder.path)


def add_callbacks(setup: TrainingSetup, callbacks: RunCallbacks) -> None:
    """Add the spec's callbacks and then the run's own to the trainer."""
    trainer_callbacks: list[Callback] = setup.trainer.callbacks  # type: ignore[attr-defined]
    trainer_callbacks += [*build_custom_callbacks(setup.folder, setup.pipeline), *callbacks]


def fit_or_request_rewind(
    setup: TrainingSetup,
    callbacks: RunCallbacks,
    module: TrainingModule,
    loader: DataLoader[Any],
    checkpoint: Path | None,
) -> None:
    """Let Lightning fit the module. Raises RewindRun after numbers that are not finite, if the run may rewind."""
    watched = watch_processes(setup.trainer, setup.folder, setup.console, shared=(RewindRun, StopRequested))
    with watched, blame_components(setup.spec):
        try:
            setup.trainer.fit(module, loader, ckpt_path=checkpoint, weights_only=True)
        except NonFiniteError as error:
            # A gradient that is not finite shows in the loss of the next step.
            cause = share_cause(callbacks.search.find(error.step, error.step - 1))
            if error.may_rewind and setup.rewinds.is_allowed:
                reason = error if cause is None else cause.as_error()
                raise build_rewind(reason, error.step, callbacks.checkpoints) from None
            if cause is None:
                raise
            raise cause.as_error() from error
        except SslregError as error:
            # Other processes may not refuse their batches, so that this one does not share the cause.
            is_non_finite = error.diagnostics[0].code == NON_FINITE_INPUT
            if not is_non_finite or (cause := callbacks.search.find(setup.trainer.global_step + 1)) is None:
                raise
            raise cause.as_error() from error
        except Exception as error:
            if checkpoint is not None and (explained := explain_failed_restoring(error, checkpoint)):
                raise explained from error
            raise


def finish_trained_run(setup: TrainingSetup, callbacks: RunCallbacks, module: TrainingModule) -> None:
    """Evaluate and save a run whose steps are all trained. Lightning calls no callback for it."""
    module.to(setup.device)
    if callbacks.forgetting_guard is not None and callbacks.forgetting_guard.pending:
        callbacks.forgetting_guard.on_train_end(setup.trainer, module)
    if callbacks.evaluations is not None and not callbacks.evaluations.final:
        callbacks.evaluations.on_train_end(setup.trainer, module)
    callbacks.checkpoints.on_train_end(setup.trainer, module)


def write_summary(setup: TrainingSetup, callbacks: RunCallbacks, status: str) -> None:
    """Write the status and the results of the run in the main process, and call the plugins."""
    if not setup.trainer.is_global_zero:
        return
    final = {} if callbacks.evaluations is None else dict(callbacks.evaluations.final)
    if "loss" in callbacks.recorder.latest:
        final["loss"] = callbacks.recorder.latest["loss"]
    timing = callbacks.timer.summarize(setup.trainer)
    results = {
        "status": status,
        "epochs": setup.trainer.current_epoch,
        "steps": setup.trainer.global_step,
        "images_per_second": round(timing.images_per_second, 1),
        "waiting_for_data": round(timing.step_share("waiting"), 4),
        "skipped_samples": callbacks.skipped.count,
        "skipped_steps": 0 if callbacks.guard is None else callbacks.guard.skipped_steps,
        "ended_early": callbacks.early_stop.has_stopped,
        "final": final,
    }
    if callbacks.forgetting_guard is not None:
        results["guard"] = callbacks.forgetting_guard.summarize()
    setup.writer.finish(results, report_timing(timing, setup.spec))
    if setup.calls_plugins:
        call_run_finished(Run(setup.folder.path))
