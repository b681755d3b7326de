"""The contract of a memory bank: embeddings of past batches."""

from __future__ import annotations

from torch import Tensor, nn


class MemoryBank(nn.Module):
    """Base class of memory banks: K embeddings of width D that outlive their batch.

    A step reads and stages; only `commit` writes, which training calls once after each optimizer step. So the backward
    pass sees the same bank as the forward pass, and the two halves of a symmetric loss do not use each other's keys as
    negatives. The owner of a bank calls `commit`: `Loss.commit` does it for losses, and a model with a bank (NNCLR,
    SwAV's queue) does it in `Model.after_step`.

    Contents are buffers, so they are part of the checkpoint. Every process holds the same bank: `enqueue` gathers, and
    training excludes the buffers of banks from the broadcast of DDP.
    """

    def hold(self, dim: int) -> None:
        """Set the width of the rows. The model that owns the bank calls it in its constructor.

        A bank in a loss knows the width from ``Annotated[int | None, FromRun("embedding_dim")]``. A bank in a slot of
        the model is built before the model, when the width is not known yet.

        Raises:
            ValueError: the bank has rows of another width.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement hold(dim)")

    def negatives(self) -> Tensor:
        """Return the valid rows (K', D), K' <= K, without a copy. Do not write to them or keep them beyond `commit`."""
        raise NotImplementedError(f"{type(self).__name__} does not implement negatives()")

    def enqueue(self, keys: Tensor) -> None:
        """Stage keys (N, D), detached, for the next `commit`."""
        raise NotImplementedError(f"{type(self).__name__} does not implement enqueue(keys)")

    def commit(self) -> None:
        """Write what was staged since the last commit, in order."""
        raise NotImplementedError(f"{type(self).__name__} does not implement commit()")

    def discard(self) -> None:
        """Discard what was staged since the last commit, for a skipped step."""
        raise NotImplementedError(f"{type(self).__name__} does not implement discard()")
