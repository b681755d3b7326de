"""Processes that train together, simulated by threads."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from unittest.mock import patch

import torch
import torch.distributed as dist
from torch import Tensor

T = TypeVar("T")

_REDUCTIONS: dict[Any, Callable[[Tensor], Tensor]] = {
    dist.ReduceOp.SUM: lambda values: values.sum(dim=0),
    dist.ReduceOp.AVG: lambda values: values.mean(dim=0),
    dist.ReduceOp.MAX: lambda values: values.amax(dim=0),
    dist.ReduceOp.MIN: lambda values: values.amin(dim=0),
}


class SimulatedProcesses:
    """A process group of threads, which replaces functions of `torch.distributed`.

    One thread runs at a time, and waits in each collective operation until all others have called it. So results are
    deterministic, and code that is not safe for threads works.

    Attributes:
        collectives: The number of collective operations so far.
    """

    def __init__(self) -> None:
        self.collectives = 0
        self._size = 0
        self._turn = threading.Condition()
        self._local = threading.local()
        self._sent: dict[int, dict[int, Tensor]] = defaultdict(dict)
        self._has_ended = False

    def run(self, functions: Sequence[Callable[[], T]]) -> list[T]:
        """Call one function in each process, and return their results.

        Raises:
            AssertionError: The processes make different numbers of collective calls.
        """
        self._size = len(functions)
        replacements: Any = self._replacements()
        with patch.multiple(dist, **replacements), ThreadPoolExecutor(self._size) as threads:
            results = [threads.submit(self._run_process, rank, function) for rank, function in enumerate(functions)]
        errors = [error for result in results if (error := result.exception()) is not None]
        for error in sorted(errors, key=lambda error: isinstance(error, _AbandonedError)):
            raise error
        return [result.result() for result in results]

    def _run_process(self, rank: int, function: Callable[[], T]) -> T:
        self._local.rank, self._local.calls = rank, 0
        with self._turn:
            try:
                return function()
            finally:
                self._has_ended = True
                self._turn.notify_all()

    def _exchange(self, tensor: Tensor) -> Tensor:
        """Return the tensors of all processes by rank, stacked."""
        number = self._local.calls
        self._local.calls += 1
        sent = self._sent[number]
        sent[self._local.rank] = tensor.detach().clone()
        self.collectives = len(self._sent)
        self._turn.notify_all()
        self._turn.wait_for(lambda: len(sent) == self._size or self._has_ended)
        if len(sent) < self._size:
            raise _AbandonedError("a process waits for a collective operation that the other one does not call")
        return torch.stack([sent[rank] for rank in range(self._size)])

    def _replacements(self) -> dict[str, Callable[..., Any]]:
        def all_reduce(tensor: Tensor, op: Any = dist.ReduceOp.SUM, **_: Any) -> None:
            tensor.copy_(_REDUCTIONS[op](self._exchange(tensor)))

        def all_gather(tensor_list: list[Tensor], tensor: Tensor, **_: Any) -> None:
            for own, row in zip(tensor_list, self._exchange(tensor), strict=True):
                own.copy_(row)

        def all_gather_into_tensor(output_tensor: Tensor, input_tensor: Tensor, **_: Any) -> None:
            output_tensor.copy_(self._exchange(input_tensor).reshape(output_tensor.shape))

        def broadcast(tensor: Tensor, src: int = 0, **_: Any) -> None:
            tensor.copy_(self._exchange(tensor)[src])

        def barrier(**_: Any) -> None:
            self._exchange(torch.empty(0))

        return {
            "is_initialized": lambda: True,
            "get_world_size": lambda group=None: self._size,
            "get_rank": lambda group=None: self._local.rank,
            "all_reduce": all_reduce,
            "all_gather": all_gather,
            "all_gather_into_tensor": all_gather_into_tensor,
            "broadcast": broadcast,
            "barrier": barrier,
        }


class _AbandonedError(AssertionError):
    """A process waits for another one that has ended."""
