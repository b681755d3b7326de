"""Handling of losses, gradients and weights that are not finite: ``engine.on_nan`` of the spec.

* ``stop`` ends the run. Losses are read every few steps, and weights before each checkpoint, so that it costs nothing,
  and no checkpoint has weights that are not finite.
* ``skip`` omits the optimizer step for such a batch. This must be known before the step, so that the host waits for the
  device once per step.
* ``rewind`` costs nothing until it happens. The run then resumes from its last checkpoint and skips as above until
  `MAX_SKIPS_IN_A_ROW` steps past the failure. It omits the batch that caused it, by its loss or by its gradient.
"""

from __future__ import annotations

import logging
from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn

from sslreg.contracts import Loss, MemoryBank, StepOutput
from sslreg.contracts.loss import discard_staged
from sslreg.errors import SslregError
from sslreg.training.distributed.collectives import reduce_any
from sslreg.training.non_finite_cause import NonFiniteSearch

log = logging.getLogger(__name__)

#: The number of batches in a row that may be skipped. More are no accident.
MAX_SKIPS_IN_A_ROW = 100
#: The error code of a loss or a memory bank that receives numbers that are not finite.
NON_FINITE_INPUT = "non-finite-embedding"

HINT = "lower the learning rate, clip with trainer.gradient_clip_val, or train in 32-true precision"


class NonFiniteError(SslregError):
    """Training has led to numbers that are not finite.

    Attributes:
        step: The last step that may be the cause.
        may_rewind: Whether a run that resumes before that step may get past it.
    """

    step: int
    may_rewind: bool


class SkipStep(Exception):  # noqa: N818  (it is no error: it keeps the optimizer from stepping)
    """Raised within an optimizer step, after the gradients exist and before they are used."""


def non_finite_error(message: str, step: int, *, may_rewind: bool = True) -> NonFiniteError:
    """Return the error for numbers that are not finite."""
    error = NonFiniteError(message, hint=HINT, code="loss-not-finite")
    error.step, error.may_rewind = step, may_rewind
    return error


def require_finite_weights(trainer: lightning.Trainer) -> None:
    """Raise NonFiniteError in all processes if a parameter or a running statistic is not finite in any of them."""
    module, step = trainer.lightning_module, trainer.global_step
    tensors = [*module.named_parameters(), *_forward_buffers(module).items()]
    name = _find_non_finite([(name, value.detach()) for name, value in tensors])
    if reduce_any(name is not None)[0]:
        culprit = "something in another process" if name is None else name.removeprefix("model.")
        raise non_finite_error(f"{culprit} is not finite after step {step}", step)


def _find_non_finite(tensors: list[tuple[str, Tensor]]) -> str | None:
    checked = [(name, value) for name, value in tensors if value.is_floating_point() and value.numel()]
    if not checked or bool(torch.stack([value.isfinite().all() for _, value in checked]).all()):
        return None
    return next(name for name, value in checked if not value.isfinite().all())


class NonFiniteGuard(Callback):
    """A callback that skips the optimizer step if the loss or the gradient is not finite.

    It also undoes the batch's forward pass: it restores running statistics and discards what was staged for memory
    banks. The momentum encoder does not move; the schedule and the step counter advance.

    Args:
        until: The last step to guard, None to guard all steps.
        source: The components that compute the loss, for an error's message.
        search: Finds the cause of a skipped step.

    Attributes:
        skipped_steps: The number of skipped steps.
        skipped_last_step: Whether the last step was skipped.
    """

    def __init__(self, until: int | None, source: str, search: NonFiniteSearch) -> None:
        self.until = until
        self.source = source
        self.search = search
        self.skipped_steps = 0
        self.skipped_last_step = False
        self._skips_in_a_row = 0
        self._warned_of: set[str] = set()
        self._is_finite: Tensor | None = None
        self._buffers_before: dict[str, Tensor] = {}

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        assert isinstance(pl_module.loss, Loss)
        if trainer.world_size > 1:
            # A loss that refuses the input of one process would leave the others waiting in its all_gather.
            pl_module.loss.register_forward_pre_hook(_refuse_in_all_processes)

    def is_active(self, step: int) -> bool:
        """Return whether the step after `step` steps is guarded."""
        return self.until is None or step < self.until

    def replace_output(self, error: SslregError, module: lightning.LightningModule) -> StepOutput:
        """Return a step output whose loss is NaN, after a component has refused numbers that are not finite.

        Raises:
            NonFiniteError: The step is not guarded.
            SslregError: `error` itself, if its reason is another one.
        """
        if error.diagnostics[0].code != NON_FINITE_INPUT:
            raise error
        if not self.is_active(module.global_step):
            step = module.global_step + 1
            message = f"{error.diagnostics[0].message} at step {step} ({self.source})"
            raise non_finite_error(message, step) from error
        # The loss depends on all parameters, so that processes which reduce their gradients find all of them.
        trained = [parameter.sum() for parameter in module.parameters() if parameter.requires_grad]
        return StepOutput(torch.stack(trained).sum() * float("nan"))

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if self._is_finite is None and self.is_active(trainer.global_step):
            self._buffers_before = {name: buffer.clone() for name, buffer in _forward_buffers(pl_module).items()}

    def on_before_backward(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, loss: Tensor
    ) -> None:
        is_finite = loss.detach().isfinite()
        self._is_finite = is_finite if self._is_finite is None else self._is_finite & is_finite

    def on_before_optimizer_step(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        is_finite, self._is_finite = self._is_finite, None
        self.skipped_last_step = False
        if is_finite is None or not self.is_active(trainer.global_step):
            return
        scaler = getattr(trainer.precision_plugin, "scaler", None)
        if scaler is None:  # a scaler checks the gradients itself: their overflow is how it finds its scale
            is_finite = is_finite & _gradient_norm(optimizer).isfinite()
        if not reduce_any(not bool(is_finite))[0]:
            self._skips_in_a_row = 0
            return
        self.skipped_steps += 1
        self._skips_in_a_row += 1
        step = trainer.global_step + 1
        if self._skips_in_a_row > MAX_SKIPS_IN_A_ROW:
            raise non_finite_error(
                f"the loss or its gradient was not finite in {MAX_SKIPS_IN_A_ROW} steps in a row, up to step "
                f"{step} ({self.source})",
                step,
                may_rewind=False,
            )
        self._warn_of_cause(step)
        self.skipped_last_step = True
        self._undo_forward(pl_module)
        if scaler is not None:
            scaler.update()
        raise SkipStep

    def _warn_of_cause(self, step: int) -> None:
        """Warn once of each augmentation that returns images that are not finite."""
        cause = self.search.find(step)
        if cause is not None and cause.augmentation not in self._warned_of:
            self._warned_of.add(cause.augmentation)
            log.warning("step %d is skipped: %s", step, cause)

    def _undo_forward(self, module: nn.Module) -> None:
        for name, buffer in _forward_buffers(module).items():
            buffer.copy_(self._buffers_before[name])
        discard_staged(module)

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.skipped_steps, "in_a_row": self._skips_in_a_row}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.skipped_steps, self._skips_in_a_row = state_dict["count"], state_dict["in_a_row"]


def _refuse_in_all_processes(loss: nn.Module, inputs: tuple[Any, ...]) -> None:
    """Refuse a loss's inputs in all processes if they are not finite in any of them."""
    tensors = [value.detach() for value in inputs if isinstance(value, Tensor) and value.is_floating_point()]
    is_finite = all(bool(value.isfinite().all()) for value in tensors)
    if reduce_any(not is_finite)[0]:
        raise SslregError("an embedding is not finite", hint=HINT, code=NON_FINITE_INPUT)


def _gradient_norm(optimizer: torch.optim.Optimizer) -> Tensor:
    gradients = [
        parameter.grad
        for group in optimizer.param_groups
        for parameter in group["params"]
        if parameter.grad is not None
    ]
    return torch.nn.utils.get_total_norm(gradients) if gradients else torch.zeros(())


def _forward_buffers(module: nn.Module) -> dict[str, Tensor]:
    """Return the buffers that a forward pass may change: all but those of memory banks, which are large and staged."""
    return {
        f"{prefix}.{name}": buffer
        for prefix, part in module.named_modules()
        if not isinstance(part, MemoryBank)
        for name, buffer in part.named_buffers(recurse=False)
    }
