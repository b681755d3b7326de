"""Detection of collapsed embeddings: all in one point, or in few dimensions."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.pytorch.callbacks import Callback
from rich.console import Console
from rich.text import Text
from torch import Tensor, nn

from sslreg.contracts import Batch
from sslreg.errors import SslregError
from sslreg.evaluation.embedding_statistics import (
    alignment,
    describe_collapse,
    effective_rank,
    embedding_std,
    singular_values,
    squared_distances,
    uniformity,
)
from sslreg.training.callbacks.metrics_recorder import MetricsRecorder

#: The number of rows that the figures describe: the last rows of an epoch.
ROWS = 512


class CollapseWatch(Callback):
    """A callback that records at the end of each epoch how the last embeddings spread, and reports a collapse.

    The embeddings are those of the model's `StepOutput`. Positives are the first two tensors that the loss is called
    with, if both have the shape (N, D). Figures that a method does not allow are omitted. With several processes, the
    figures describe the share of the first one.

    The callback draws no random number and computes nothing twice. A checkpoint holds the rows collected in an epoch,
    so a run is the same with and without the callback, and a resumed run has the same figures.

    Args:
        recorder: The recorder of the figures.
        console: Where a warning is printed, once.
        stop: Whether a collapse ends the run with an SslregError instead.
    """

    def __init__(self, recorder: MetricsRecorder, console: Console, *, stop: bool = False) -> None:
        self.recorder = recorder
        self.console = console
        self.stop = stop
        self._rows: list[Tensor] = []
        self._distances: list[Tensor] = []
        self._has_warned = False
        self._positives: tuple[Tensor, Tensor] | None = None
        self._is_near_end = False

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        assert isinstance(pl_module.loss, nn.Module)
        self._hook = pl_module.loss.register_forward_pre_hook(self._store_positives)

    def teardown(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        if hasattr(self, "_hook"):
            self._hook.remove()

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        left = trainer.num_training_batches - batch_idx
        if trainer.max_steps > 0:
            left = min(left, (trainer.max_steps - trainer.global_step) * trainer.accumulate_grad_batches)
        self._is_near_end = (left - 1) * len(batch) < ROWS
        self._positives = None

    def _store_positives(self, loss: nn.Module, inputs: tuple[Any, ...]) -> None:
        """Store the first inputs of the loss; a symmetric method calls it again with the same in another order."""
        if not self._is_near_end or self._positives is not None or len(inputs) < 2:
            return
        a, b = inputs[:2]
        if isinstance(a, Tensor) and isinstance(b, Tensor) and a.ndim == 2 and a.shape == b.shape:
            self._positives = a.detach(), b.detach()

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        if not self._is_near_end or not trainer.is_global_zero:
            return
        if outputs["embeddings"] is not None:
            _append_rows(self._rows, outputs["embeddings"].detach().float().clone())
        if self._positives is not None:
            _append_rows(self._distances, squared_distances(*self._positives))
            self._positives = None

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        figures = self._figures()
        self._rows.clear()
        self._distances.clear()
        if figures:
            self.recorder.record_evaluation({"step": trainer.global_step, "epoch": trainer.current_epoch, **figures})
        collapse = trainer.strategy.broadcast(describe_collapse(figures))
        if not collapse or self._has_warned:
            return
        self._has_warned = True
        message = f"the embeddings have collapsed in epoch {trainer.current_epoch + 1}: {collapse}"
        hint = "lower the learning rate, or check the projection, the views and the loss"
        if self.stop:
            raise SslregError(message, hint=hint, code="collapsed")
        if trainer.is_global_zero:
            self.console.print(Text.assemble(("warning:", "yellow"), f" {message}\n  hint: {hint}"))

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
        return {"rows": self._rows, "distances": self._distances, "is_told": self._has_warned}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._rows, self._distances = list(state_dict["rows"]), list(state_dict["distances"])
        self._has_warned = state_dict["is_told"]


def _append_rows(rows: list[Tensor], new: Tensor) -> None:
    """Append rows, and delete the oldest beyond the last `ROWS`."""
    rows.append(new)
    while sum(map(len, rows)) - len(rows[0]) >= ROWS:
        del rows[0]
