"""What becomes of a loss, a gradient or weights that are not finite: ``engine.on_nan`` of the spec.

* ``stop`` ends the run. Losses are read some steps at a time, and weights before each checkpoint, so it costs nothing,
  and no checkpoint has weights that are not finite.
* ``skip`` leaves out the optimizer's step for such a batch. Whether to step has to be known before the step, so the
  host waits for the device once a step.
* ``rewind`` costs nothing until it happens. Then the run goes back to its last checkpoint and does as ``skip`` until
  `IN_A_ROW` steps past the place: whatever batch led there, by its loss or by its gradient, is left out.
"""

from __future__ import annotations

from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn

from sslreg.contracts import Loss, MemoryBank, StepOutput
from sslreg.errors import SslregError
from sslreg.training.distributed.collectives import any_process

#: So many batches in a row may be left out; more are no accident.
IN_A_ROW = 100
#: How often a run goes back to the same checkpoint.
REWINDS = 3
#: The code of the error of a loss or a memory bank that is given numbers that are not finite.
NON_FINITE_INPUT = "non-finite-embedding"

CURE = "lower the learning rate, clip with trainer.gradient_clip_val, or train in 32-true precision"


class NonFiniteError(SslregError):
    """Training has led to numbers that are not finite.

    step: the last step that may have been at fault, None where that is not known.
    """

    step: int | None = None


class SkipStep(Exception):  # noqa: N818  (it is no error: it keeps the optimizer from stepping)
    """Raised within an optimizer's step, after its gradients are there and before it uses them."""


def non_finite(message: str, step: int | None, hint: str = CURE) -> NonFiniteError:
    error = NonFiniteError(message, hint=hint, code="loss-not-finite")
    error.step = step
    return error


def require_finite(trainer: lightning.Trainer) -> None:
    """NonFiniteError, in all processes: a parameter or a running statistic is not finite."""
    module, step = trainer.lightning_module, trainer.global_step
    tensors = [*module.named_parameters(), *_buffers(module).items()]
    found = _first_not_finite([(name, value.detach()) for name, value in tensors])
    if any_process(found is not None)[0]:
        name = "something in another process" if found is None else found.removeprefix("model.")
        raise non_finite(f"{name} is not finite after step {step}", step)


def _first_not_finite(tensors: list[tuple[str, Tensor]]) -> str | None:
    checked = [(name, value) for name, value in tensors if value.is_floating_point() and value.numel()]
    if not checked or bool(torch.stack([value.isfinite().all() for _, value in checked]).all()):
        return None
    return next(name for name, value in checked if not value.isfinite().all())


class Guard(Callback):
    """Leaves out the optimizer's step where the loss or the gradient is not finite.

    What the batch's forward pass did is undone too: running statistics are put back, and what was staged for memory
    banks is dropped. The momentum encoder stays, and the schedule and the step counter go on.

    until: guards up to this step; None for all steps. count: steps left out; last_left_out: whether the last one was.
    """

    def __init__(self, until: int | None, source: str) -> None:
        self.until = until
        self.source = source
        self.count = 0
        self.last_left_out = False
        self._in_a_row = 0
        self._finite: Tensor | None = None
        self._before: dict[str, Tensor] = {}

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        assert isinstance(pl_module.loss, Loss)
        if trainer.world_size > 1:
            # A loss that refuses what one process gives it would leave the others waiting in its gathering.
            pl_module.loss.register_forward_pre_hook(_refuse_alike)

    def watches(self, step: int) -> bool:
        """Whether the step after `step` steps is guarded."""
        return self.until is None or step < self.until

    def instead_of(self, error: SslregError, module: lightning.LightningModule) -> StepOutput:
        """What a step gives where a component refuses numbers that are not finite: a loss that is not.

        NonFiniteError: the step is not guarded; otherwise the error itself, if it is about something else.
        """
        if error.diagnostics[0].code != NON_FINITE_INPUT:
            raise error
        if not self.watches(module.global_step):
            step = module.global_step + 1
            raise non_finite(f"{error.diagnostics[0].message} at step {step} ({self.source})", step) from error
        # Of all parameters, so that processes which share their gradients find them all.
        trained = [parameter.sum() for parameter in module.parameters() if parameter.requires_grad]
        return StepOutput(torch.stack(trained).sum() * float("nan"))

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if self._finite is None and self.watches(trainer.global_step):
            self._before = {name: buffer.clone() for name, buffer in _buffers(pl_module).items()}

    def on_before_backward(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, loss: Tensor
    ) -> None:
        finite = loss.detach().isfinite()
        self._finite = finite if self._finite is None else self._finite & finite

    def on_before_optimizer_step(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        finite, self._finite = self._finite, None
        self.last_left_out = False
        if finite is None or not self.watches(trainer.global_step):
            return
        scaler = getattr(trainer.precision_plugin, "scaler", None)
        if scaler is None:  # a scaler sees to gradients itself: that they overflow is how it finds its scale
            finite = finite & _gradient_norm(optimizer).isfinite()
        if not any_process(not bool(finite))[0]:
            self._in_a_row = 0
            return
        self.count += 1
        self._in_a_row += 1
        if self._in_a_row > IN_A_ROW:
            raise non_finite(
                f"the loss or its gradient was not finite in {IN_A_ROW} steps in a row, up to step "
                f"{trainer.global_step + 1} ({self.source})",
                None,
            )
        self.last_left_out = True
        self._undo(pl_module)
        if scaler is not None:
            scaler.update()
        raise SkipStep

    def _undo(self, module: nn.Module) -> None:
        for name, buffer in _buffers(module).items():
            buffer.copy_(self._before[name])
        discard_staged(module)

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count, "in_a_row": self._in_a_row}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.count, self._in_a_row = state_dict["count"], state_dict["in_a_row"]


def discard_staged(module: nn.Module) -> None:
    """Drop what a batch has staged for the memory banks within a module."""
    for part in module.modules():
        if isinstance(part, MemoryBank | Loss):
            part.discard()


def _refuse_alike(loss: nn.Module, given: tuple[Any, ...]) -> None:
    """Refuse what a loss is given, in all processes, if in any of them it is not finite."""
    tensors = [value.detach() for value in given if isinstance(value, Tensor) and value.is_floating_point()]
    finite = all(bool(value.isfinite().all()) for value in tensors)
    if any_process(not finite)[0]:
        raise SslregError("an embedding is not finite", hint=CURE, code=NON_FINITE_INPUT)


def _gradient_norm(optimizer: torch.optim.Optimizer) -> Tensor:
    gradients = [
        parameter.grad
        for group in optimizer.param_groups
        for parameter in group["params"]
        if parameter.grad is not None
    ]
    return torch.nn.utils.get_total_norm(gradients) if gradients else torch.zeros(())


def _buffers(module: nn.Module) -> dict[str, Tensor]:
    """The buffers that a forward pass may write to: all but those of memory banks, which are large, and staged."""
    return {
        f"{prefix}.{name}": buffer
        for prefix, part in module.named_modules()
        if not isinstance(part, MemoryBank)
        for name, buffer in part.named_buffers(recurse=False)
    }
