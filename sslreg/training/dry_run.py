"""Tries everything that a training does, with two steps and a few images, and leaves nothing behind."""

from __future__ import annotations

import gc
import resource
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.pytorch.callbacks import Callback
from rich.console import Console
from torch.utils.data import Subset

from sslreg.assembly import SampleDataset
from sslreg.contracts import Model
from sslreg.errors import UserError
from sslreg.evaluation import embed, evaluate_raw_pixels
from sslreg.runs.folder import RunFolder
from sslreg.runs.run import Run
from sslreg.spec import Spec
from sslreg.training.lightning_trainer import quiet_lightning
from sslreg.training.loop import Training, evaluation_of, prepared

#: Optimizer steps that are taken before the run is resumed.
STEPS = 2
#: Images of a data set that are embedded: two batches.
IMAGES = 512


@dataclass(frozen=True)
class DryRun:
    """What was tried, and what the training would take.

    losses: of each step. checkpoint_bytes: the size of a checkpoint. embedded: images that went through the embedding
    view. judged: the evaluators that ran; too_few: those that cannot judge so few images, and what they say.
    memory_bytes: the most that this process held; worker_bytes: that a loading process held, 0 without any;
    device_bytes: the most that was held on the accelerator, None without one. step_seconds: what a step took after the
    first one; steps_per_epoch, steps: of the whole training.
    """

    losses: list[float]
    checkpoint_bytes: int
    embedded: int
    judged: list[str]
    too_few: dict[str, str]
    memory_bytes: int
    worker_bytes: int
    device_bytes: int | None
    step_seconds: float
    steps_per_epoch: int
    steps: int

    @property
    def epoch_seconds(self) -> float:
        """What an epoch will take, without evaluations. A guess from one step."""
        return self.step_seconds * self.steps_per_epoch

    @property
    def seconds(self) -> float:
        """What the training will take, without evaluations."""
        return self.step_seconds * self.steps


def dry_run(spec: Spec, *, console: Console | None = None) -> DryRun | None:
    """Train two steps in a temporary folder, save and load a checkpoint, embed and evaluate a few images, and go on.

    Loggers are built, so that a missing package is found, and get nothing; plugins are not told of the end of a run.
    Of several processes one returns what was found, the others None. Raises what a training would raise.
    """
    console = console or Console(stderr=True)
    with quiet_lightning(), tempfile.TemporaryDirectory(prefix="sslreg-dry-run-") as folder:
        begun, found = _begin(spec, RunFolder(Path(folder) / "run"), console)
        gc.collect()  # what has trained is in cycles, and would take its memory beside what goes on
        _rehearsal(spec, begun, console, STEPS + 1).resume()
    return found


def _rehearsal(spec: Spec, folder: RunFolder, console: Console, steps: int) -> Training:
    """A training of so many steps that tells nobody, and evaluates nothing by itself."""
    training = prepared(spec, folder, console)
    training.evaluation = None
    training.tells_plugins = False
    training.trainer.loggers = []
    training.trainer.fit_loop.epoch_loop.max_steps = steps
    return training


def _begin(spec: Spec, folder: RunFolder, console: Console) -> tuple[RunFolder, DryRun | None]:
    """Do everything but to go on. The folder is that of the process which writes."""
    training = _rehearsal(spec, folder, console, STEPS)
    steps = _Steps()
    training.trainer.callbacks.append(steps)  # type: ignore[attr-defined]
    run = training.run()
    if not training.trainer.is_global_zero:
        return run.folder, None
    device = training.trainer.strategy.root_device
    model = run.model().to(device)
    judged: list[str] = []
    too_few: dict[str, str] = {}
    evaluation = evaluation_of(training.pipeline, device)
    if evaluation is None:
        embedded = _embed_few(training, model, device)
        return run.folder, _found(training, run, steps, embedded, judged, too_few)
    reference, test = _few(evaluation.reference), _few(evaluation.test)
    few = replace(evaluation, reference=reference, test=test)
    for named in training.pipeline.evaluators:
        try:
            evaluate_raw_pixels(few, [named])
            few.evaluate_model(model, [named])
            judged.append(named.name)
        except UserError as error:
            if error.diagnostics[0].code != "cannot-evaluate":
                raise
            too_few[named.name] = error.diagnostics[0].message
    return run.folder, _found(training, run, steps, len(reference) + len(test), judged, too_few)


def _embed_few(training: Training, model: Model, device: torch.device) -> int:
    few = _few(training.pipeline.train)
    return len(embed(few, training.pipeline.embed_collate, model.embed, device=device))


def _few(samples: SampleDataset) -> SampleDataset:
    """Some of the samples, from all over the set: a folder's classes lie one after the other."""
    count = min(IMAGES, len(samples))
    return SampleDataset(Subset(samples.source, [number * len(samples) // count for number in range(count)]))


def _found(
    training: Training, run: Run, steps: _Steps, embedded: int, judged: list[str], too_few: dict[str, str]
) -> DryRun:
    device = training.trainer.strategy.root_device
    facts, accumulated = training.pipeline.facts, training.trainer.accumulate_grad_batches
    return DryRun(
        losses=steps.losses,
        checkpoint_bytes=run.folder.last_checkpoint.stat().st_size,
        embedded=embedded,
        judged=judged,
        too_few=too_few,
        memory_bytes=_peak(resource.RUSAGE_SELF),
        worker_bytes=_peak(resource.RUSAGE_CHILDREN) if training.spec.data.workers else 0,
        device_bytes=torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None,
        step_seconds=steps.seconds * accumulated,
        steps_per_epoch=facts["steps_per_epoch"],
        steps=facts["total_steps"],
    )


def _peak(whose: int) -> int:
    most = resource.getrusage(whose).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


class _Steps(Callback):
    """Notes when batches end, and the losses of steps."""

    def __init__(self) -> None:
        self.ends: list[float] = []
        self.losses: list[float] = []

    @property
    def seconds(self) -> float:
        """What a batch takes, loading included; the first one, which sets everything up, does not count."""
        return (self.ends[-1] - self.ends[0]) / max(1, len(self.ends) - 1)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step > len(self.losses):
            self.losses.append(float(outputs["figures"]["loss"]))
        self.ends.append(time.perf_counter())
