"""What a loss is: embeddings of views to a scalar."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from torch import Tensor, nn

from sslreg.contracts.memory_bank import MemoryBank


class Loss(nn.Module):
    """Base class of losses.

    takes: the form of input, which has to be among the model's `gives`:

    * ``pair``: two tensors (N, D), row i of both from sample i;
    * ``views``: any number >= 2 of such tensors;
    * ``labeled views``: the same, and `targets` (N,);
    * a name of its own for a method that pairs with one loss, whose `forward` then takes what the two agree on, further
      keywords included: BYOL's ``prediction and target`` (as a ``pair`` it would collapse another method), SwAV's
      ``prototype scores``, DINO's ``student and teacher``, MAE's ``patches and mask``.

    State that a loss updates (DINO's center) is a buffer, staged in `forward` and written in `commit`.
    """

    takes: ClassVar[str] = "pair"

    #: ``forward(*views, targets=None)``: the mean loss over the batch, a scalar.
    forward: Callable[..., Tensor]

    def commit(self) -> None:
        """Called once after the optimizer has stepped; commits the memory banks among this module's children."""
        for module in self.children():
            if isinstance(module, MemoryBank):
                module.commit()

    def discard(self) -> None:
        """Called instead of `commit` when a step is left out: forget what `forward` staged. Banks are told as well."""
