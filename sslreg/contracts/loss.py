"""The contract of a loss: embeddings of views to a scalar."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

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
