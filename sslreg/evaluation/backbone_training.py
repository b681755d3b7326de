"""Gives evaluators a copy of a backbone to train, with images, and keeps their state while they are unfinished."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import DataLoader

from sslreg.assembly import ReplaceUnreadable, SampleDataset
from sslreg.assembly.epoch_sampler import EpochSampler
from sslreg.assembly.loader_workers import ErrorReturningCollate, WorkerError, loader_worker_options
from sslreg.atomic_files import atomic_write
from sslreg.contracts import Augmentation, Backbone, Batch
from sslreg.evaluation.embedding import embed
from sslreg.views import Collate, Operation, ViewPlan

#: The number of images of a call while test images are predicted.
BATCH_SIZE = 256


@dataclass(frozen=True)
class BackboneTraining:
    """Gives an evaluator what it needs to train a backbone; the `BackboneRun` that it gets.

    Attributes:
        evaluated: the evaluated backbone.
        reference: the data set to learn from.
        test: the data set to evaluate.
        collate: makes the embedding view.
        training_view: the plan of the view of the reference set, unless the evaluator has its own.
        device: where to train.
        report: shows how much of the evaluation is done.
        seed: the seed of the run.
        workers: the number of processes that load images.
        precision: the precision of the run, as in ``trainer.precision``.
        state_file: where an unfinished evaluation keeps its state; None to keep none.
    """

    evaluated: Backbone
    reference: SampleDataset
    test: SampleDataset
    collate: Collate
    training_view: ViewPlan
    device: torch.device
    report: Callable[[int, int], None]
    seed: int = 0
    workers: int = 0
    precision: str = "32-true"
    state_file: Path | None = None

    @property
    def autocast_dtype(self) -> torch.dtype | None:
        if self.precision in ("bf16-mixed", "bf16"):
            return torch.bfloat16
        # The arithmetic of CPUs has no float16.
        return torch.float16 if self.precision in ("16-mixed", "16") and self.device.type == "cuda" else None

    def backbone(self) -> Backbone:
        copied = copy.deepcopy(self.evaluated).to(self.device, torch.float32)
        _replace_synchronized_batch_norms(copied)
        copied.unfreeze()
        return copied.train()

    def reference_epochs(
        self, epochs: range, batch_size: int, view: Sequence[Augmentation] | None = None
    ) -> Iterator[tuple[int, _EpochBatches]]:
        plan = self.training_view
        if view is not None:
            plan = ViewPlan([Operation(type(one).__name__, one) for one in view])
        batch_size = min(batch_size, len(self.reference))
        sampler = EpochSampler(len(self.reference), batch_size, order=self.reference.order, seed=self.seed)
        collate = ReplaceUnreadable(_with_view(self.collate, plan), self.reference)
        loader: DataLoader[Any] = DataLoader(
            self.reference,
            batch_size=batch_size,
            sampler=sampler,
            collate_fn=ErrorReturningCollate(collate),
            persistent_workers=self.workers > 0,
            # A separate generator: the evaluator may draw from the global one.
            generator=torch.Generator(),
            **loader_worker_options(self.workers),
        )
        for epoch in epochs:
            sampler.set_epoch(epoch)
            yield epoch, _EpochBatches(loader, self.device)

    def predict(self, function: Callable[[Tensor], Tensor]) -> Tensor:
        embeddings = embed(
            self.test,
            self.collate,
            function,
            device=self.device,
            batch_size=min(BATCH_SIZE, len(self.test)),
            workers=self.workers,
        )
        return embeddings.features

    def save_state(self, state: dict[str, Any]) -> None:
        if self.state_file is not None:
            self.state_file.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(self.state_file) as draft:
                torch.save(state, draft)

    def load_state(self) -> dict[str, Any] | None:
        if self.state_file is None:
            return None
        # A file that is missing or damaged is no state: the evaluation starts anew.
        with suppress(Exception):
            state: dict[str, Any] = torch.load(self.state_file, map_location="cpu", weights_only=True)
            return state
        return None

    @contextmanager
    def started(self) -> Iterator[None]:
        """Seed the random generators and enable gradients in the block; remove the state if it ends normally."""
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices), torch.inference_mode(False), torch.enable_grad():
            torch.manual_seed(self.seed)
            yield
        if self.state_file is not None:
            self.state_file.unlink(missing_ok=True)
            with suppress(OSError):  # it holds the state of other evaluations, or does not exist
                self.state_file.parent.rmdir()


@dataclass(frozen=True)
class _EpochBatches:
    """The batches of an epoch on a device."""

    loader: DataLoader[Any]
    device: torch.device

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.loader:
            if isinstance(batch, WorkerError):
                batch.reraise()
            yield batch.to(self.device, non_blocking=True)


def _with_view(collate: Collate, plan: ViewPlan) -> Collate:
    """Return a collate function that makes another view."""
    return Collate(
        [plan], seed=collate.seed, channels=collate.channels, on_error=collate.on_error, readers=collate.readers
    )


class _LocalBatchNorm(_BatchNorm):
    """Batch normalization of tensors of any dimension by the statistics of this process."""

    def _check_input_dim(self, input: Tensor) -> None:
        pass


def _replace_synchronized_batch_norms(module: nn.Module) -> None:
    """Let batch normalization use the statistics of this process: an evaluation runs in the main process alone."""
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            is_synchronized = isinstance(child, nn.SyncBatchNorm) or hasattr(child, "to_original")
            if isinstance(child, _BatchNorm) and is_synchronized:
                local = _LocalBatchNorm(
                    child.num_features, child.eps, child.momentum, child.affine, child.track_running_stats
                )
                local._parameters, local._buffers, local.training = child._parameters, child._buffers, child.training
                parent.register_module(name, local)
