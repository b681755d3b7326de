"""Measures the phases of training steps."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.pytorch.callbacks import Callback

from sslreg.assembly import Pipeline
from sslreg.assembly.loading_times import LOADING_PHASES, LoadingTimes
from sslreg.runs.step_timing import StepTiming
from sslreg.training.step_times import StepTimes


class StepTimer(Callback):
    """A callback that starts and ends the phases between the model's work: logging and other.

    The loader, the Lightning module, evaluations and checkpoints measure their own phases with the same clock. It acts
    before the callbacks of the run that log, so that their time counts as logging; the callbacks of a spec count as
    other. Measuring neither waits for a device nor changes a result.

    Args:
        times: Receives the times.
        pipeline: What is trained.
    """

    def __init__(self, times: StepTimes, pipeline: Pipeline) -> None:
        self.times = times
        self.pipeline = pipeline

    @property
    def images_per_second(self) -> float:
        """The number of samples per second, without evaluations, checkpoints and the first batch."""
        seconds = self.times.step_seconds
        return self.times.batches * self.pipeline.spec.data.batch_size / seconds if seconds else 0.0

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.times.clock.switch("other")

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self.times.clock.switch("other")

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.times.end_batch()
        self.times.clock.switch("logging")

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.times.clock.switch(None)  # what still evaluates and saves measures itself
        self.times.collect(wait=True)

    def summarize(self, trainer: lightning.Trainer) -> StepTiming:
        """Return the times so far, and what is needed to judge them."""
        times, facts, data = self.times, self.pipeline.facts, self.pipeline.spec.data
        times.collect(wait=True)
        return StepTiming(
            seconds=dict(times.seconds),
            batches=times.batches,
            accumulated_batches=trainer.accumulate_grad_batches,
            batch_size=data.batch_size,
            steps_per_epoch=facts["steps_per_epoch"],
            processes=trainer.world_size,
            device=trainer.strategy.root_device.type,
            workers=data.workers,
            cores=max(1, count_usable_cores() // trainer.num_devices),
            threads=torch.get_num_threads(),
            view_size=facts.get("image_size"),
            loaded_batches=times.loading.batches,
            loading_seconds={phase: times.loading.seconds[phase] for phase in LOADING_PHASES if times.loading.batches},
            loading_counts=dict(times.loading.counts),
            checkpoints=times.checkpoints,
            evaluations=times.evaluations,
        )

    def state_dict(self) -> dict[str, Any]:
        times = self.times
        times.collect(wait=True)
        return {
            "seconds": dict(times.seconds),
            "batches": times.batches,
            "checkpoints": times.checkpoints,
            "evaluations": times.evaluations,
            "loading": {
                "batches": times.loading.batches,
                "seconds": dict(times.loading.seconds),
                "counts": dict(times.loading.counts),
            },
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        times, loading = self.times, state_dict["loading"]
        times.seconds = Counter(state_dict["seconds"])
        times.batches = state_dict["batches"]
        times.checkpoints, times.evaluations = state_dict["checkpoints"], state_dict["evaluations"]
        times.loading = LoadingTimes(loading["batches"], Counter(loading["seconds"]), Counter(loading["counts"]))


def count_usable_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
