"""The contract of a memory bank: embeddings of past batches."""

from __future__ import annotations

from torch import Tensor, nn

from sslreg.contracts.component import Component
from sslreg.errors import UserError
from sslreg.registry import ComponentInfo, installed


class MemoryBank(Component, nn.Module):
    """Base class of memory banks: K embeddings of width D that outlive their batch.

    A step reads and stages; only `commit` writes. So the backward pass sees the same bank as the forward pass, and the
    two halves of a symmetric loss do not use each other's keys as negatives.

    Training finds the banks of a model and of a loss at any depth, as long as they are modules within modules (a list
    of banks belongs in a `torch.nn.ModuleList`). It commits them after each optimizer step and discards what was staged
    if the step is skipped. Neither the model nor the loss has to call `commit`.

    Contents are buffers, so they are part of the checkpoint. Every process holds the same bank: `enqueue` gathers, and
    training excludes the buffers of banks from the broadcast of DDP.
    """

    def hold(self, dim: int) -> None:
        """Set the width of the rows. The model that owns the bank calls it in its constructor.

        This method is optional: a bank without it works in losses alone.

        A bank in a loss knows the width from ``Annotated[int | None, FromRun("embedding_dim")]``. A bank in a slot of
        the model is built before the model, when the width is not known yet.

        Raises:
            ValueError: the bank has rows of another width.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement hold(dim)")

    def negatives(self) -> Tensor:
        """Return the valid rows (K', D), K' <= K, without a copy. Do not write to them or keep them beyond `commit`."""
        raise NotImplementedError(f"{type(self).__name__} does not implement negatives()")

    def nearest(self, queries: Tensor) -> Tensor:
        """Return the row of highest cosine similarity for each query (N, D), in the queries' dtype, without gradient.

        This method is optional. A model that needs it calls `require_nearest` in its constructor.

        A bank without rows, as before the first `commit`, returns the queries as unit vectors.

        Raises:
            NotImplementedError: the bank cannot do this.
        """
        raise NotImplementedError(_lacks_nearest(self))

    def require_nearest(self) -> None:
        """Refuse a bank without `nearest`.

        Raises:
            ValueError: the bank does not implement `nearest`. The message names the banks that do.
        """
        if type(self).nearest is MemoryBank.nearest:
            raise ValueError(_lacks_nearest(self))

    def enqueue(self, keys: Tensor) -> None:
        """Stage keys (N, D), detached, for the next `commit`."""
        raise NotImplementedError(f"{type(self).__name__} does not implement enqueue(keys)")

    def commit(self) -> None:
        """Write what was staged since the last commit, in order. A second call changes nothing."""
        raise NotImplementedError(f"{type(self).__name__} does not implement commit()")

    def discard(self) -> None:
        """Discard what was staged since the last commit, for a skipped step."""
        raise NotImplementedError(f"{type(self).__name__} does not implement discard()")


def find_banks(module: nn.Module) -> list[MemoryBank]:
    """Return the memory banks within a module, at any depth."""
    return [part for part in module.modules() if isinstance(part, MemoryBank)]


def commit_banks(module: nn.Module) -> None:
    """Commit the memory banks within a module, at any depth."""
    for bank in find_banks(module):
        bank.commit()


def discard_banks(module: nn.Module) -> None:
    """Discard the rows that are staged for the memory banks within a module, at any depth."""
    for bank in find_banks(module):
        bank.discard()


def _lacks_nearest(bank: MemoryBank) -> str:
    """Return the message for a bank without `nearest`, which names the installed banks that have it."""
    able = [info.name for info in installed().of_kind("memory_bank") if _has_nearest(info)]
    return f"{type(bank).__name__} cannot find nearest rows; memory banks that can: {', '.join(able) or 'none'}"


def _has_nearest(info: ComponentInfo) -> bool:
    try:
        target = info.load()
    except UserError:
        return False
    return getattr(target, "nearest", MemoryBank.nearest) is not MemoryBank.nearest
