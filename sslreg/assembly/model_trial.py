"""Tries the model, the loss, the optimizer and a step of a spec on torch's meta device, which has no memory."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from sslreg.assembly.bank_trial import find_unused_banks, require_registered_banks, watch_banks
from sslreg.assembly.builder import Builder, find_component, without_weights
from sslreg.assembly.devices import Devices, host_memory
from sslreg.assembly.evaluators import NamedEvaluator, require_patch_backbone
from sslreg.assembly.parameter_groups import list_parameter_groups
from sslreg.assembly.run_facts import add_model_facts
from sslreg.assembly.view_trial import ViewShape
from sslreg.contracts import Backbone, Batch, FrozenModule, Loss, Model, SampleKeys, is_momentum_copy
from sslreg.contracts.loss import COMMON_FORMS
from sslreg.errors import Diagnostic, SslregError, describe_error
from sslreg.spec import Spec, find_components
from sslreg.spec.cross_checks import LOW_PRECISIONS, MIXED_PRECISION_HINT
from sslreg.spec.tree import KeyPath

#: The largest number of values that a loss gets: it is tried on the CPU.
_MAX_VALUES = 2**22

#: The largest size of a loss, with its memory bank, that is built on the CPU.
_MAX_LOSS_BYTES = 2**28


class UnsupportedTrialError(Exception):
    """Something that cannot be tried on the meta device. Training finds out whether it works."""


def try_model(
    builder: Builder,
    devices: Devices,
    views: Sequence[ViewShape],
    embed_view: ViewShape,
    evaluators: Sequence[NamedEvaluator],
) -> list[Diagnostic]:
    """Build the model, the loss and the optimizer without memory, and run a step.

    Args:
        builder: builds the components; its facts are completed.
        devices: the devices on which the spec trains.
        views: the shape of each view.
        embed_view: the shape of the embedding view.
        evaluators: the evaluators, which may need features of patches.

    Returns:
        Warnings about the spec.

    Raises:
        SpecError: something does not fit, at its location in the spec.
        UnsupportedTrialError: the rest cannot be tried.
    """
    spec = builder.spec
    with torch.device("meta"), explain_errors(spec, spec.model.path, spec.model.use):
        model: Model = builder.build(without_weights(spec.model))
    add_model_facts(builder, model)
    require_patch_backbone(spec, evaluators, model)
    require_momentum_precision(spec, model)
    enable_gradient_checkpointing(spec, model)
    require_registered_banks(spec, spec.model, model)
    _require_model_memory(spec, model, devices)
    _try_optimizer(builder, model)
    warnings = list(_find_random_teachers(spec, model))
    for shape in dict.fromkeys(view.shape for view in (*views, embed_view) if view.is_fixed):
        try_embedding(spec, (*spec.model.path, "backbone"), model, torch.empty(2, *shape, device="meta"))
    with torch.device("meta"), explain_errors(spec, spec.loss.path, spec.loss.use):
        on_meta: Loss = builder.build(spec.loss)
    require_registered_banks(spec, spec.loss, on_meta)
    require_memory(spec, spec.loss.path, "the loss", on_meta)
    if _count_bytes(on_meta) > _MAX_LOSS_BYTES:
        return warnings
    # Synchronized batch normalization sees the batch of all processes.
    processes = 1 if spec.trainer.get("sync_batchnorm") else devices.processes
    loss = _LossOnCpu(builder.build(spec.loss))
    for module in (model, loss):
        watch_banks(module)
    _try_step(spec, model, loss, views, spec.data.batch_size // processes)
    return [
        *warnings,
        *find_unused_banks(spec, spec.model, model),
        *find_unused_banks(spec, spec.loss, loss),
        *_check_symmetry(spec, loss),
    ]


def require_momentum_precision(spec: Spec, model: Model) -> None:
    """Refuse a momentum encoder whose weights are in half precision."""
    precision = spec.trainer.get("precision")
    if precision in LOW_PRECISIONS and any(is_momentum_copy(module) for module in model.modules()):
        raise spec.error(
            ("trainer", "precision"),
            "wrong-value",
            f"the momentum encoder of {spec.model.use} does not move in {precision}, which cannot represent its small "
            "steps",
            MIXED_PRECISION_HINT,
        )


def enable_gradient_checkpointing(spec: Spec, model: Model) -> None:
    """Enable gradient checkpointing in the trained backbones of a model, if the spec requests it.

    Raises:
        SpecError: a backbone does not support it, or the model trains none.
    """
    if not spec.engine.gradient_checkpointing:
        return
    modules = (module for trained in model.trained_modules() for module in trained.modules())
    backbones = [module for module in modules if isinstance(module, Backbone)]
    try:
        for backbone in backbones:
            backbone.enable_gradient_checkpointing()
        if not backbones:
            raise ValueError(f"{spec.model.use} trains no backbone")
    except ValueError as error:
        raise spec.error(
            ("engine", "gradient_checkpointing"),
            "wrong-value",
            str(error),
            "remove it, or use a backbone that supports it, such as a Vision Transformer",
        ) from error


def try_embedding(spec: Spec, path: KeyPath, model: Model, images: Tensor) -> None:
    """Embed images, to detect a size or a number of channels that the backbone does not support.

    Args:
        spec: the spec.
        path: where the spec describes the backbone.
        model: the model; it is in the same mode afterwards.
        images: (N, C, H, W), on the meta device or with values.

    Raises:
        SpecError: the backbone refuses them.
        UnsupportedTrialError: the meta device cannot tell.
    """
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            model.embed(images)
    except Exception as error:
        is_refused = isinstance(error, RuntimeError | ValueError | AssertionError)
        if images.is_meta and (_is_unsupported(error) or not is_refused):
            raise UnsupportedTrialError from error
        if not is_refused:
            raise
        raise spec.error(
            path,
            "image-shape",
            f"the backbone does not support images of shape (C, H, W) = {tuple(images.shape[1:])}: {error}",
            "change the size in views (and embed_view), data.channels, or the backbone",
        ) from error
    finally:
        model.train(was_training)


def _find_random_teachers(spec: Spec, model: Model) -> Iterator[Diagnostic]:
    """Warn of frozen backbones of the spec that do not start from weights."""
    for module in model.modules():
        component = find_component(spec, module) if isinstance(module, FrozenModule) else None
        if component is not None and component.kind == "backbone" and component.params.get("weights") is None:
            yield spec.warning(
                component.path,
                "random-teacher",
                f"{component.use} is a frozen teacher with random weights, from which there is little to learn",
                f"set weights, for example {component.path[-1]}: {{use: {component.use}, weights: FILE}}",
            )


def _check_symmetry(spec: Spec, loss: _LossOnCpu) -> Iterator[Diagnostic]:
    """Warn of a symmetric loss whose views have no gradient in part, such as the keys of MoCo."""
    if loss.lacks_gradient and loss.wrapped.symmetric and loss.wrapped.takes in COMMON_FORMS:
        yield spec.warning(
            (*spec.loss.path, "symmetric"),
            "symmetric-loss",
            f"loss {spec.loss.use!r} is symmetric, but model {spec.model.use!r} gives it views without a gradient; the "
            "method's paper does not compare these views with the others",
            "set symmetric: false, so that only the first view is compared with the others",
        )


def _try_step(spec: Spec, model: Model, loss: Any, views: Sequence[ViewShape], batch_size: int) -> None:
    batch = Batch(
        views=[torch.empty(batch_size, *view.shape, device="meta") for view in views],
        targets=torch.zeros(batch_size, dtype=torch.int64, device="meta"),
        indices=torch.zeros(batch_size, dtype=torch.int64, device="meta"),
        groups=tuple(number for number, entry in enumerate(spec.views) for _ in range(entry.repeat)),
        roles=tuple(entry.role or "" for entry in spec.views for _ in range(entry.repeat)),
        sample_keys=SampleKeys.of_samples(spec.seed, [0] * batch_size, range(batch_size)),
    )
    is_fixed = all(view.is_fixed for view in views)
    try:
        model.training_step(batch, loss)
    except Exception as error:
        one_value = re.search(r"more than 1 value per channel.*\[([\d, ]+)\]", str(error))
        # The values of a channel of images depend on the size of the images, those of a channel of features do not.
        if one_value and (is_fixed or one_value[1].count(",") == 1):
            raise spec.error(
                ("data", "batch_size"),
                "batch-size",
                f"batch normalization needs more than one value per channel, and a device gets {batch_size} "
                f"sample{'s' * (batch_size != 1)}",
                "raise data.batch_size",
            ) from error
        if not isinstance(error, ValueError) or _is_unsupported(error) or not is_fixed:
            raise UnsupportedTrialError from error
        names = ", ".join(str(component.info) for component in find_components([spec.model, spec.loss]))
        raise spec.error(spec.model.path, "bad-value", f"{names}: {error}") from error


class _LossOnCpu(nn.Module):
    """A loss that is given numbers of the shapes on the meta device, because many losses look at values.

    Args:
        wrapped: the loss.

    Attributes:
        lacks_gradient: whether some, but not all of its views have no gradient.
    """

    wrapped: Loss

    def __init__(self, wrapped: Loss) -> None:
        super().__init__()
        self.wrapped = wrapped
        self.lacks_gradient = False

    def __getattr__(self, name: str) -> Any:
        wrapped = super().__getattr__("wrapped")
        return wrapped if name == "wrapped" else getattr(wrapped, name)

    def forward(self, *inputs: Any, **keywords: Any) -> Any:
        generator = torch.Generator().manual_seed(0)
        if len({view.requires_grad for view in inputs if isinstance(view, Tensor)}) > 1:
            self.lacks_gradient = True

        def to_numbers(value: Any) -> Any:
            if isinstance(value, list | tuple):
                return [to_numbers(one) for one in value]
            if not isinstance(value, Tensor) or not value.is_meta:
                return value
            if value.numel() > _MAX_VALUES:
                raise UnsupportedTrialError
            if value.is_floating_point():
                return torch.randn(value.shape, generator=generator, dtype=value.dtype)
            return (torch.arange(value.numel()).reshape(value.shape) // 2).to(value.dtype)

        args = [to_numbers(value) for value in inputs]
        return self.wrapped(*args, **{name: to_numbers(value) for name, value in keywords.items()})


def _try_optimizer(builder: Builder, model: Model) -> None:
    """Build the optimizer and the schedules for parameters of one value each."""
    spec = builder.spec
    groups = [
        {**group, "params": [nn.Parameter(torch.zeros((1,) * one.ndim)) for one in group["params"]]}
        for group in list_parameter_groups(spec, model)
    ]
    with explain_errors(spec, spec.optimizer.path, spec.optimizer.use):
        optimizer = builder.build(spec.optimizer, groups)
    # How many epochs max_steps are depends on the data.
    is_length_known = "total_steps" in builder.facts and spec.trainer.get("max_steps", -1) == -1
    for schedule in spec.schedule or () if is_length_known else ():
        with explain_errors(spec, schedule.path, schedule.use):
            builder.build(schedule, optimizer)


@contextmanager
def explain_errors(spec: Spec, path: KeyPath, name: str) -> Iterator[None]:
    """Report what a constructor raises at its place in the spec.

    Raises:
        UnsupportedTrialError: the constructor does not work on the meta device, or needs a fact that only the data
            gives.
    """
    try:
        yield
    except SslregError as error:
        if error.diagnostics[0].code == "missing-fact" or _is_unsupported(error):
            raise UnsupportedTrialError from error
        raise
    except Exception as error:
        if _is_unsupported(error):
            raise UnsupportedTrialError from error
        reason = describe_error(error).splitlines()[0]
        raise spec.error(path, "bad-value", f"{name}: {reason}") from error


def _is_unsupported(error: BaseException) -> bool:
    """Return whether an error comes from the meta device rather than from the spec."""
    while error.__cause__ is not None:
        error = error.__cause__
    return isinstance(error, NotImplementedError) or "meta" in describe_error(error).lower()


def _count_bytes(module: nn.Module) -> int:
    """Return the size of the weights of a module, including those of frozen ones in it."""
    own = sum(tensor.numel() * tensor.element_size() for tensor in [*module.parameters(), *module.buffers()])
    return own + sum(_count_bytes(one.wrapped) for one in module.modules() if isinstance(one, FrozenModule))


def _require_model_memory(spec: Spec, model: Model, devices: Devices) -> None:
    """Refuse a model whose weights, with their gradients, exceed the memory of this machine."""
    weights = _count_bytes(model)
    gradients = sum(one.numel() * one.element_size() for one in model.parameters() if one.requires_grad)
    for size, memory in ((weights, host_memory()), (weights + gradients, devices.memory)):
        if memory is not None and size > memory:
            raise _too_large(spec, spec.model.path, "the model with its gradients", size, memory)


def require_memory(spec: Spec, path: KeyPath, what: str, module: nn.Module) -> None:
    """Refuse a module whose weights exceed the memory of this machine."""
    size, memory = _count_bytes(module), host_memory()
    if memory is not None and size > memory:
        raise _too_large(spec, path, what, size, memory)


def _too_large(spec: Spec, path: KeyPath, what: str, size: int, memory: int) -> SslregError:
    gigabytes = math.ceil(size / 1e9)
    return spec.error(
        path,
        "too-large",
        f"{what} would take {gigabytes:,} GB of memory, and this machine has {memory / 1e9:.0f} GB",
        "use smaller widths or sizes",
    )
