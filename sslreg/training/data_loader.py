"""The data loader of the training, and the errors that come back from its workers."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch.utils.data import DataLoader

from sslreg.assembly import Pipeline, ReplaceUnreadable
from sslreg.assembly.epoch_sampler import EpochSampler
from sslreg.assembly.loader_workers import ErrorReturningCollate, WorkerError, loader_worker_options
from sslreg.assembly.loading_times import MeasuredCollate, MeasuredDataset
from sslreg.contracts import Batch
from sslreg.training.measured_data_loader import MeasuredDataLoader
from sslreg.training.prefetch import PrefetchingDataLoader
from sslreg.training.step_times import StepTimes
from sslreg.views import BatchInFlight, DeferredBatch


def finish_batch(batch: Batch | DeferredBatch | BatchInFlight | WorkerError, device: torch.device) -> Batch:
    """Return the finished batch on its device, or raise the error that a worker returned."""
    if isinstance(batch, WorkerError):
        batch.reraise()
    if isinstance(batch, BatchInFlight):
        return batch.wait()
    if isinstance(batch, DeferredBatch):
        return batch.finish(device)
    return batch.to(device, non_blocking=True)


def build_sampler(pipeline: Pipeline, rank: int, world_size: int, epoch: int, batches: int) -> EpochSampler:
    """Build the sampler of a rank; see `build_training_loader`."""
    return EpochSampler(
        len(pipeline.train),
        pipeline.spec.data.batch_size,
        order=pipeline.train.order,
        seed=pipeline.spec.seed,
        rank=rank,
        world_size=world_size,
        epoch=epoch,
        batches=batches,
    )


def build_training_loader(
    pipeline: Pipeline,
    *,
    rank: int,
    world_size: int,
    device: torch.device,
    epoch: int = 0,
    batches: int = 0,
    times: StepTimes | None = None,
) -> DataLoader[Any]:
    """Build the data loader of a rank.

    Args:
        pipeline: The data set and the collate function.
        rank: The rank of this process.
        world_size: The number of processes.
        device: The device that trains.
        epoch: The epoch of the first pass.
        batches: The number of batches of that epoch that are done.
        times: Receives the times of loading and of waiting for it; by default they are dropped.
    """
    data = pipeline.spec.data
    sampler = build_sampler(pipeline, rank, world_size, epoch, batches)
    on_cuda = device.type == "cuda"
    loader_type = partial(PrefetchingDataLoader, device=device) if on_cuda else MeasuredDataLoader
    return loader_type(
        MeasuredDataset(pipeline.train),
        batch_size=sampler.share,
        sampler=sampler,
        **loader_worker_options(data.workers, world_size),
        collate_fn=MeasuredCollate(ErrorReturningCollate(ReplaceUnreadable(pipeline.collate, pipeline.train))),
        drop_last=True,
        pin_memory=on_cuda,
        persistent_workers=data.workers > 0,
        # A separate generator: the start of a pass must not draw from the one whose state a checkpoint holds.
        generator=torch.Generator(),
        times=times,
    )
