"""The Lightning module that trains a model with its loss."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import lightning.pytorch as lightning
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from sslreg.assembly import Pipeline
from sslreg.contracts import Batch, MemoryBank, Model, StepOutput
from sslreg.contracts.loss import commit_staged, discard_staged
from sslreg.errors import SslregError, type_name
from sslreg.phase_clock import PhaseClock
from sslreg.spec import find_components
from sslreg.training.callbacks.non_finite_guard import NonFiniteGuard, SkipStep
from sslreg.training.checkpoints.content import require_fitting_content
from sslreg.training.checkpoints.frozen_modules import add_frozen_modules
from sslreg.training.data_loader import finish_batch
from sslreg.training.weight_average import WeightAverage


class TrainingModule(lightning.LightningModule):
    """A Lightning module that runs a model's steps. Everything specific to a method is in the model and the loss.

    Args:
        pipeline: The model, the loss and the optimizer.
        guard: Replaces the output of a step that a component refuses; None to let the error end the run.
        clock: Measures the phases of a step; None if nobody wants to know.
    """

    def __init__(
        self, pipeline: Pipeline, guard: NonFiniteGuard | None = None, clock: PhaseClock | None = None
    ) -> None:
        super().__init__()
        self.pipeline = pipeline
        self.model = pipeline.model
        self.loss = pipeline.loss
        self.guard = guard
        self.clock = PhaseClock() if clock is None else clock
        self._before_loss: str | None = None
        self.loss.register_forward_pre_hook(self._start_loss)
        self.loss.register_forward_hook(self._end_loss)
        self.loss.register_forward_hook(self._require_scalar)
        self._has_stepped = False
        engine = pipeline.spec.engine
        if engine.channels_last:
            self.model.to(memory_format=torch.channels_last)
        self.average = None if engine.ema is None else WeightAverage(self.model, engine.ema)
        # Every rank fills its bank with the same rows; a broadcast from rank 0 would cost time and change nothing.
        self._ddp_params_and_buffers_to_ignore = [
            f"{prefix}.{name}"
            for prefix, module in self.named_modules(remove_duplicate=False)
            if isinstance(module, MemoryBank)
            for name, _ in module.named_buffers()
        ]
        # The average needs no broadcast either: every rank averages the same weights, and one rank evaluates.
        self._ddp_params_and_buffers_to_ignore += [name for name in self.state_dict() if name.startswith("average.")]

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Batch:
        with self.clock.measure("transfer"):
            finished = finish_batch(batch, device)
            if self.pipeline.spec.engine.channels_last:
                finished.views = [view.contiguous(memory_format=torch.channels_last) for view in finished.views]
        return finished

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        try:
            with self.clock.measure("forward"):
                output = self.model.training_step(batch, self.loss)
        except SslregError as error:
            if self.guard is None:
                raise
            output = self.guard.replace_output(error, self)
        except ValueError as error:
            raise self._broken_step(str(error)) from error
        if not isinstance(output, StepOutput) or not isinstance(output.loss, Tensor) or output.loss.ndim:
            shape = ""
            if isinstance(output, StepOutput):
                loss = output.loss
                shape = f", and the loss is a {type_name(loss)}"
                shape += f" of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else ""
            raise self._broken_step(f"training_step must return a StepOutput with a scalar loss{shape}")
        if output.embeddings is not None and output.embeddings.ndim != 2:
            shape = str(tuple(output.embeddings.shape))
            raise self._broken_step(f"training_step must return embeddings (N, D) or None; they have shape {shape}")
        figures = {"loss": output.loss.detach(), **output.metrics}
        self.log_dict(figures, batch_size=len(batch), logger=False)  # loggers get the rows of metrics.csv
        return {"loss": output.loss, "figures": figures, "embeddings": output.embeddings}

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        with self.clock.measure("backward"):
            super().backward(loss, *args, **kwargs)

    def _start_loss(self, *_: Any) -> None:
        self._before_loss = self.clock.switch("loss")

    def _end_loss(self, *_: Any) -> None:
        # After an error in the loss, the end of the forward phase does it.
        self.clock.switch(self._before_loss)

    def _broken_step(self, reason: str) -> SslregError:
        return SslregError(f"{self._describe_components()}: {reason}", code="broken-component")

    def _require_scalar(self, loss: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        """Raise an error that names the loss if it does not return a scalar with a gradient."""
        info = self.pipeline.spec.loss.info
        if not isinstance(output, Tensor) or output.ndim:
            name = f"a tensor {tuple(output.shape)}" if isinstance(output, Tensor) else f"a {type(output).__name__}"
            raise SslregError(
                f"{info}: forward returns {name}, not a scalar tensor",
                hint="return the mean over the batch, such as losses.mean(), without .item()",
                code="broken-component",
            )
        differentiable = any(isinstance(value, Tensor) and value.requires_grad for value in inputs)
        if differentiable and torch.is_grad_enabled() and not output.requires_grad:
            raise SslregError(
                f"{info}: forward returns a loss without a gradient",
                hint="compute the loss from the embeddings without .item(), .detach() and torch.no_grad()",
                code="broken-component",
            )

    def _describe_components(self) -> str:
        """Return the model, the loss and their components, each with its package: one of them is at fault."""
        spec = self.pipeline.spec
        return ", ".join(str(component.info) for component in find_components([spec.model, spec.loss]))

    def optimizer_step(
        self,
        epoch: int,
        batch_idx: int,
        optimizer: Any,
        optimizer_closure: Callable[[], Any] | None = None,
    ) -> None:
        with self.clock.measure("optimizer"):
            self._step(epoch, batch_idx, optimizer, optimizer_closure)

    def _step(self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Callable[[], Any] | None) -> None:
        def closure() -> Any:
            result = None if optimizer_closure is None else optimizer_closure()
            self.model.before_step()
            return result

        self._has_stepped = False
        try:
            super().optimizer_step(epoch, batch_idx, optimizer, closure)
        except SkipStep:
            return
        if not self._has_stepped:  # a gradient scaler found an overflow, and will try a smaller scale
            discard_staged(self)
            return
        # Not in a hook, because a checkpoint callback may run before the module's hooks.
        self.model.after_step()
        commit_staged(self)
        if self.average is not None:
            self.average.update(self.model, self.trainer.global_step)

    def configure_optimizers(self) -> Any:
        optimizer = self.pipeline.build_optimizer()
        optimizer.register_step_post_hook(self._note_step)
        _keep_fixed_rates(optimizer)
        schedules = self.pipeline.build_schedules(optimizer)
        return [optimizer], [{"scheduler": schedule, "interval": "step"} for schedule in schedules]

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        # Lightning accepts schedulers that do not derive from torch's only if this method is defined.
        with self.clock.measure("optimizer"):
            scheduler.step()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse a checkpoint whose content does not fit this run, before any of it is used."""
        require_fitting_content(self, self.pipeline, checkpoint)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        add_frozen_modules(checkpoint, self.pipeline)

    def _note_step(self, *_: Any) -> None:
        self._has_stepped = True

    def evaluated_model(self) -> Model:
        """Return the model to evaluate and use: the weight average if there is one, in float32 as in a `Run`."""
        model = self.model if self.average is None else self.average.model
        is_float32 = next(model.parameters()).dtype == torch.float32
        return model if is_float32 else copy.deepcopy(model).float()


def _keep_fixed_rates(optimizer: Optimizer) -> None:
    """Make every step use the present learning rate of groups with ``fixed_lr``, whatever schedules set in between."""
    rates = {number: group["lr"] for number, group in enumerate(optimizer.param_groups) if group.get("fixed_lr")}

    def restore(optimizer: Optimizer, *_: Any) -> None:
        for number, rate in rates.items():  # by number: loading a checkpoint replaces the groups
            optimizer.param_groups[number]["lr"] = rate

    optimizer.register_step_pre_hook(restore)
