"""Watches whether the embeddings collapse: to one point, or into few dimensions."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.pytorch.callbacks import Callback
from rich.console import Console
from torch import Tensor, nn

from sslreg.contracts import Batch
from sslreg.errors import SslregError
from sslreg.evaluation.embedding_statistics import (
    alignment,
    effective_rank,
    embedding_std,
    singular_values,
    squared_distances,
    uniformity,
)
from sslreg.training.callbacks.metrics_recorder import MetricsRecorder
from sslreg.training.lightning_module import TrainingModule

#: Rows that the figures are of: the last ones of an epoch.
ROWS = 512
#: An `embedding_std` below this is a collapse to a point.
LEAST_STD = 0.1
#: An `effective_rank` below this is a collapse to a line.
LEAST_RANK = 1.5


class CollapseWatch(Callback):
    """At the end of each epoch, writes how far the embeddings of its last steps spread, and says when they do not.

    The embeddings are those that the model returns in its `StepOutput`; positives are the first two tensors that the
    loss is called with, where these are of the shape (N, D). What a method does not give is left out. With several
    processes the figures are those of the first one's share. No random number is drawn and nothing is computed twice,
    and what has been collected of an epoch is in the checkpoint: a run is the same with the watch and without, and
    resumed it has the same figures.

    stop: whether a collapse ends the run: SslregError. Otherwise it is warned of, once.
    """

    def __init__(self, recorder: MetricsRecorder, console: Console, *, stop: bool = False) -> None:
        self.recorder = recorder
        self.console = console
        self.stop = stop
        self._rows: list[Tensor] = []
        self._distances: list[Tensor] = []
        self._is_told = False
        self._positives: tuple[Tensor, Tensor] | None = None
        self._is_late = False

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        assert isinstance(pl_module, TrainingModule)
        self._hook = pl_module.loss.register_forward_pre_hook(self._see_positives)

    def teardown(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        if hasattr(self, "_hook"):
            self._hook.remove()

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        left = trainer.num_training_batches - batch_idx
        if trainer.max_steps > 0:
            left = min(left, (trainer.max_steps - trainer.global_step) * trainer.accumulate_grad_batches)
        self._is_late = (left - 1) * len(batch) < ROWS
        self._positives = None

    def _see_positives(self, loss: nn.Module, given: tuple[Any, ...]) -> None:
        """Keep what the loss compares first; a symmetric method calls it again with the same in another order."""
        if not self._is_late or self._positives is not None or len(given) < 2:
            return
        some, others = given[:2]
        if isinstance(some, Tensor) and isinstance(others, Tensor) and some.ndim == 2 and some.shape == others.shape:
            self._positives = some.detach(), others.detach()

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        if not self._is_late or not trainer.is_global_zero:
            return
        if outputs["embeddings"] is not None:
            _keep(self._rows, outputs["embeddings"].detach().float().clone())
        if self._positives is not None:
            _keep(self._distances, squared_distances(*self._positives))
            self._positives = None

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        figures = self._figures()
        self._rows.clear()
        self._distances.clear()
        if figures:
            self.recorder.record_evaluation({"step": trainer.global_step, "epoch": trainer.current_epoch, **figures})
        found = trainer.strategy.broadcast(_collapse(figures))
        if not found or self._is_told:
            return
        self._is_told = True
        message = f"the embeddings have collapsed in epoch {trainer.current_epoch + 1}: {found}"
        hint = "lower the learning rate, or look at the projection, the views and the loss"
        if self.stop:
            raise SslregError(message, hint=hint, code="collapsed")
        if trainer.is_global_zero:
            self.console.print(f"[yellow]warning:[/] {message}\n  hint: {hint}", highlight=False)

    def _figures(self) -> dict[str, float]:
        figures = {}
        if self._rows:
            rows = torch.cat(self._rows).cpu()
            if len(rows) > 1 and rows.isfinite().all():
                figures["embedding_std"] = embedding_std(rows)
                figures["effective_rank"] = effective_rank(singular_values(rows))
                figures["uniformity"] = uniformity(rows)
        if self._distances:
            figures["alignment"] = alignment(torch.cat(self._distances))
        return figures

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self._rows, "distances": self._distances, "is_told": self._is_told}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._rows, self._distances = list(state_dict["rows"]), list(state_dict["distances"])
        self._is_told = state_dict["is_told"]


def _keep(kept: list[Tensor], new: Tensor) -> None:
    """Add rows, and let go of the oldest that the last `ROWS` do without."""
    kept.append(new)
    while sum(map(len, kept)) - len(kept[0]) >= ROWS:
        del kept[0]


def _collapse(figures: dict[str, float]) -> str | None:
    """What says that embeddings have collapsed, if anything does."""
    if figures.get("embedding_std", 1.0) < LEAST_STD:
        return f"their standard deviation is {figures['embedding_std']:.3g}, 1 where they spread and 0 in one point"
    if figures.get("effective_rank", LEAST_RANK) < LEAST_RANK:
        return f"their effective rank is {figures['effective_rank']:.3g}, as if they lay on a line"
    return None
