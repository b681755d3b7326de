"""Inputs for a loss under test: embeddings, or what the model that belongs to the loss passes to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from sslreg.contracts import Loss, Model
from sslreg.contracts.loss import COMMON_FORMS
from sslreg.registry import ComponentInfo
from sslreg.testing.case import Case
from sslreg.testing.tiny_components import SAMPLES, WIDTH, RecordingLoss, find_tensors
from sslreg.testing.training_steps import build_model, run_step


@dataclass(frozen=True)
class LossInputs:
    """Arguments of a loss for a batch of `SAMPLES` samples. Tensors are leaves.

    Attributes:
        arguments: The positional arguments, possibly with nested tensors.
        keywords: The keyword arguments.
        embedding_dim: The width of the model's embeddings.
    """

    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any] = field(default_factory=dict)
    embedding_dim: int = WIDTH

    @property
    def tensors(self) -> list[Tensor]:
        return find_tensors([self.arguments, dict(self.keywords)])

    @property
    def masks(self) -> list[Tensor]:
        return [tensor for tensor in self.tensors if tensor.dtype == torch.bool]

    @property
    def gradients(self) -> list[Tensor]:
        """The gradients of those tensors that have one."""
        return [tensor.grad for tensor in self.tensors if tensor.grad is not None]

    def map(self, change: Callable[[Tensor], Tensor] = lambda tensor: tensor) -> LossInputs:
        """Return copies of the inputs after a change of each tensor, without gradients."""

        def copy(tensor: Tensor) -> Tensor:
            return change(tensor.detach()).clone().requires_grad_(tensor.requires_grad)

        arguments, keywords = tree_map_only(Tensor, copy, (self.arguments, dict(self.keywords)))
        return replace(self, arguments=arguments, keywords=keywords)

    def select(self, samples: Tensor) -> LossInputs:
        """Return the inputs of the samples with these numbers, in this order."""
        return self.map(partial(select_samples, samples=samples, masks=self.masks))

    def to(self, dtype: torch.dtype) -> LossInputs:
        """Return the inputs with floating-point tensors of another type."""
        return self.map(lambda tensor: tensor.to(dtype) if tensor.is_floating_point() else tensor)

    def build_loss(self, case: Case, seed: int = 0, **facts: Any) -> Loss:
        """Build a loss for these inputs."""
        torch.manual_seed(seed)
        loss: Loss = case.build(embedding_dim=self.embedding_dim, **facts)
        return loss

    def compute(self, loss: Loss) -> Tensor:
        """Compute the loss."""
        value: Tensor = loss(*self.arguments, **self.keywords)
        return value


def select_samples(tensor: Tensor, samples: Tensor, masks: Sequence[Tensor] = ()) -> Tensor:
    """Select samples along the first dimension of N or, for several views one after the other, a multiple of N rows.

    If the number of rows is that of the true values of a mask, the rows belong to these, such as masked patches.
    """
    for mask in masks:
        if len(tensor) == mask.sum() != SAMPLES:
            numbers = torch.zeros(mask.shape, dtype=torch.int64).masked_scatter_(mask, torch.arange(len(tensor)))
            return tensor[select_samples(numbers, samples)[select_samples(mask, samples)]]
    for dim, size in enumerate(tensor.shape):
        if size and size % SAMPLES == 0:
            views = tensor.reshape(*tensor.shape[:dim], -1, SAMPLES, *tensor.shape[dim + 1 :])
            return views.index_select(dim + 1, samples).flatten(dim, dim + 1)
    return tensor


def make_inputs(case: Case, seed: int = 0) -> list[LossInputs]:
    """Return inputs of the loss under test for several numbers of views. Each seed gives other values."""
    takes = case.build().takes
    if takes in COMMON_FORMS:
        return [_make_embeddings(count, takes, seed) for count in ((2,) if takes == "pair" else (2, 3))]
    return record_inputs(case, find_models(case, takes)[0], takes, seed)


def _make_embeddings(count: int, takes: str, seed: int) -> LossInputs:
    generator = torch.Generator().manual_seed(seed)
    base = torch.randn(SAMPLES, WIDTH, generator=generator)
    views = [base + 0.5 * torch.randn(SAMPLES, WIDTH, generator=generator) for _ in range(count)]
    keywords = {"targets": torch.arange(SAMPLES) % 4} if takes == "labeled views" else {}
    return LossInputs(tuple(view.requires_grad_() for view in views), keywords)


def find_models(case: Case, takes: str) -> list[ComponentInfo]:
    """Return the models that give an uncommon form of input.

    Raises:
        AssertionError: There is none.
    """
    models = [info for info in case.catalog.of_kind("model") if takes in getattr(info.load(), "gives", ())]
    assert models, f"no model gives {takes!r}, so no spec can use {case}"
    return models


#: Recorded inputs, because a step of a model takes a while.
_recorded: dict[tuple[str, str, int], list[LossInputs]] = {}


def record_inputs(case: Case, info: ComponentInfo, takes: str, seed: int) -> list[LossInputs]:
    """Return what a model passes to a loss that takes this form, for several numbers of views."""
    model_case = case.of(info.name, "model")
    key = f"{info.target} {dict(model_case.parameters)}", takes, seed
    if key not in _recorded:
        model = build_model(model_case)
        _recorded[key] = [_record(model, takes, seed, additional) for additional in _find_numbers_of_views(model)]
    return [inputs.map() for inputs in _recorded[key]]


def _find_numbers_of_views(model: Model) -> list[int]:
    """Return numbers of additional views of each role: for two views at least, and none if that suffices."""
    least, most = model.views
    more = max(1, 2 - least)
    return [more] if least < 2 or least == most else [0, more]


def _record(model: Model, takes: str, seed: int, additional: int) -> LossInputs:
    recorder = RecordingLoss(takes)
    run_step(model, additional, recorder, seed=seed)
    arguments, keywords = recorder.calls[0]
    given = {name: value for name, value in keywords.items() if value is not None}
    return LossInputs(arguments, given, model.embedding_dim).map()
