"""What a memory bank is: embeddings of past batches."""

from __future__ import annotations

from torch import Tensor, nn


class MemoryBank(nn.Module):
    """Base class of memory banks: K embeddings of width D that outlive their batch.

    A step reads and stages; only `commit`, which the training calls once after the optimizer has stepped, writes. So
    the backward pass sees the bank that the forward pass saw, and the two halves of a symmetric loss do not meet each
    other's keys as negatives. Whoever owns a bank forwards `commit`: a loss does so by itself (`Loss.commit`), a
    model that owns one (NNCLR, SwAV's queue) does it in `Model.after_step`.

    Contents are buffers, so that they are in the checkpoint. Every rank holds the same bank: `enqueue` gathers, and
    the training leaves the buffers of banks out of DDP's broadcast.
    """

    def hold(self, dim: int) -> None:
        """Be told the width of the rows by the model that owns the bank, in the model's constructor.

        A bank in a loss knows it from ``Annotated[int | None, FromRun("embedding_dim")]``; one in a slot of the model
        is built before the model, when nobody knows. ValueError: it has rows of another width.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement hold(dim)")

    def negatives(self) -> Tensor:
        """The valid rows (K', D), K' <= K, without a copy. Not to be written to, nor kept beyond `commit`."""
        raise NotImplementedError(f"{type(self).__name__} does not implement negatives()")

    def enqueue(self, keys: Tensor) -> None:
        """Stage keys (N, D), detached, for the next `commit`."""
        raise NotImplementedError(f"{type(self).__name__} does not implement enqueue(keys)")

    def commit(self) -> None:
        """Write what was staged since the last commit, in order."""
        raise NotImplementedError(f"{type(self).__name__} does not implement commit()")

    def discard(self) -> None:
        """Forget what was staged since the last commit: the step that staged it is left out."""
        raise NotImplementedError(f"{type(self).__name__} does not implement discard()")
