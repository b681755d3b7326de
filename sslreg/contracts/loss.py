"""The contract of a loss: embeddings of views to a scalar."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor, nn

from sslreg.contracts.memory_bank import MemoryBank


class Loss(nn.Module):
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

    #: ``forward(*views, targets=None)`` returns the mean loss over the batch, a scalar.
    forward: Callable[..., Tensor]

    def commit(self) -> None:
        """Commit the memory banks among the children. Training calls it once after each optimizer step."""
        for module in self.children():
            if isinstance(module, MemoryBank):
                module.commit()

    def discard(self) -> None:
        """Discard what `forward` staged. Training calls it instead of `commit` for a skipped step, also on banks."""


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
    if not isinstance(component, nn.Module):
        raise ValueError(f"{type(component).__name__} is neither an sslreg.Loss nor a torch.nn.Module")
    if inspect.iscoroutinefunction(component.forward):
        raise ValueError("forward is async, but must return the loss, a scalar tensor; remove `async`")
    if not isinstance(component, Loss):
        return PlainLoss(component)
    has_forward = type(component).forward is not nn.Module.forward
    if has_forward and component.takes in ("pair", "views", "labeled views"):
        parameters = inspect.signature(component.forward).parameters.values()
        if not any(each.name == "targets" or each.kind is each.VAR_KEYWORD for each in parameters):
            raise ValueError("forward does not take `targets`; its signature is forward(*views, targets=None)")
    return component
