"""The contract of a loss: embeddings of views to a scalar."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor, nn

from sslreg.contracts.component import Component
from sslreg.contracts.memory_bank import commit_banks, discard_banks
from sslreg.errors import type_name

#: The common forms of a loss's input; see `Loss.takes`. Other forms belong to one method.
COMMON_FORMS = ("pair", "views", "labeled views")


class Loss(Component, nn.Module):
    """Base class of losses.

    `takes` is the form of input, which must be among the `gives` of the model:

    * ``pair``: two tensors (N, D), row i of both from sample i.
    * ``views``: two or more such tensors.
    * ``labeled views``: the same, and `targets` (N,).
    * A custom name for a method that pairs with one loss. Its `forward` takes what the two agree on, with further
      keywords: BYOL's ``prediction and target`` (as a ``pair`` it would make other methods collapse), SwAV's
      ``prototype scores``, DINO's ``student and teacher``, MAE's ``patches and mask``.

    State that a loss updates, like DINO's center, is a buffer: stage it in `forward` and write it in `commit`.
    """

    takes: ClassVar[str] = "pair"

    #: Whether the samples of a batch are compared with each other, so that a larger batch means more negatives, and
    #: accumulated gradients are not those of a larger batch. By default true for the three common forms of input: a
    #: loss of pairs that compares no samples would collapse them.
    compares_batch: ClassVar[bool] = True

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "takes" in vars(cls) and "compares_batch" not in vars(cls):
            cls.compares_batch = cls.takes in COMMON_FORMS

    #: Whether the loss compares each view with the others, rather than only the first one. ``sslreg check`` warns if a
    #: method gives such a loss views without a gradient.
    symmetric: bool = False

    #: ``forward(*views, targets=None)`` returns the mean loss over the batch, a scalar.
    forward: Callable[..., Tensor]

    def commit(self) -> None:
        """Commit the memory banks within the loss, at any depth, and write other state that `forward` staged.

        Training calls it after each optimizer step, also on losses within a loss or a model. A second call changes
        nothing. Call it yourself if you use a loss without sslreg's training.
        """
        commit_banks(self)

    def discard(self) -> None:
        """Discard what `forward` staged, also in banks. Training calls it instead of `commit` for a skipped step."""
        discard_banks(self)


class PlainLoss(Loss):
    """A plain module with ``forward(a, b)`` as a loss of pairs without targets.

    Args:
        module: the module.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, first: Tensor, second: Tensor, targets: Tensor | None = None) -> Tensor:
        loss: Tensor = self.module(first, second)
        return loss


def adapt_loss(component: Any) -> Loss:
    """Return a component as a loss: unchanged if it is one, else a plain module of two embeddings, adapted.

    Raises:
        ValueError: the component is neither, or its `forward` does not fulfill the contract.
    """
    if not issubclass(type(component), nn.Module):
        raise ValueError(f"{type_name(component)} is neither an sslreg.Loss nor a torch.nn.Module")
    if inspect.iscoroutinefunction(component.forward):
        raise ValueError("forward is async, but must return the loss, a scalar tensor; remove `async`")
    has_forward = type(component).forward is not nn.Module.forward
    if not issubclass(type(component), Loss):
        if not has_forward:
            raise ValueError(f"{type_name(component)} does not implement forward(a, b)")
        return PlainLoss(component)
    loss: Loss = component
    if has_forward and component.takes in COMMON_FORMS:
        parameters = inspect.signature(component.forward).parameters.values()
        if not any(each.name == "targets" or each.kind is each.VAR_KEYWORD for each in parameters):
            raise ValueError("forward does not take `targets`; its signature is forward(*views, targets=None)")
    return loss


def commit_staged(module: nn.Module) -> None:
    """Commit what a step has staged in the losses and memory banks within a module, at any depth."""
    for part in module.modules():
        if isinstance(part, Loss) and type(part).commit is not Loss.commit:  # the default only commits banks
            part.commit()
    commit_banks(module)


def discard_staged(module: nn.Module) -> None:
    """Discard what a step has staged in the losses and memory banks within a module, at any depth."""
    for part in module.modules():
        if isinstance(part, Loss) and type(part).discard is not Loss.discard:
            part.discard()
    discard_banks(module)
