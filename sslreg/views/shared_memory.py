"""Memory in which a DataLoader's worker hands its views over without copying them.

What a worker returns is copied into new shared memory as a rule, and to have its pages mapped takes the system longer
than augmenting the images in them. Here a worker keeps the memory that it has written its views into; the process that
reads them gives it back when the last tensor that shows it is gone, and the worker writes another batch there.
"""

from __future__ import annotations

import mmap
import os
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import reduction
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import reduce_tensor
from torch.utils.data import get_worker_info

#: The first page of a piece tells whether another process has it: 1, or 0 once it has been given back.
_HEAD = mmap.PAGESIZE
#: Pieces that a worker keeps at most. Beyond it, as when all batches are kept, views are copied.
_MOST = 64

_pieces: list[_Piece] = []
_wanted = False


def empty_result(shape: Sequence[int], dtype: torch.dtype = torch.float32) -> Tensor:
    """An uninitialized tensor on the CPU for what an augmentation returns.

    Where that is the view as a DataLoader's worker sends it, it is memory that the receiver sees as well, which spares
    copying the view. Elsewhere it is `torch.empty`.
    """
    if not (_wanted and get_worker_info() is not None and hasattr(os, "memfd_create")):
        return torch.empty(*shape, dtype=dtype)
    size = torch.Size(shape).numel() * dtype.itemsize
    piece = _free_piece(size) if size else None
    return torch.empty(*shape, dtype=dtype) if piece is None else piece.lend(shape, dtype)


@contextmanager
def share_results(wanted: bool) -> Iterator[None]:
    """Let `empty_result` give memory for sending, if wanted, while the last stage that runs here is at work."""
    global _wanted
    before, _wanted = _wanted, wanted
    try:
        yield
    finally:
        _wanted = before


class _Piece:
    """Some bytes of memory that has a file, through which another process can see it."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.file = os.memfd_create("sslreg-view")
        os.ftruncate(self.file, _HEAD + size)
        self.memory = mmap.mmap(self.file, _HEAD + size)
        self._seen_here: Callable[[], object] = lambda: None

    @property
    def free(self) -> bool:
        """Whether no tensor shows it, neither here nor where it was sent."""
        return self._seen_here() is None and self.memory[0] == 0

    def lend(self, shape: Sequence[int], dtype: torch.dtype) -> SharedTensor:
        # The tensor's storage holds the view, so this lives as long as any tensor that shares the storage.
        view = memoryview(self.memory)[_HEAD:]
        self._seen_here = weakref.ref(view)
        lent = torch.frombuffer(view, dtype=dtype).reshape(*shape).as_subclass(SharedTensor)
        lent.piece = self
        return lent

    def close(self) -> None:
        os.close(self.file)


def _free_piece(size: int) -> _Piece | None:
    for piece in _pieces:
        if piece.size == size and piece.free:
            return piece
    if len(_pieces) == _MOST:
        unused = next((piece for piece in _pieces if piece.free), None)
        if unused is None:
            return None
        _pieces.remove(unused)
        unused.close()
    _pieces.append(_Piece(size))
    return _pieces[-1]


class SharedTensor(Tensor):
    """A tensor in a piece. What is computed of it is a plain tensor, and so is what another process receives."""

    piece: _Piece | None
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.as_subclass(Tensor).clone().__reduce_ex__(protocol)  # type: ignore[no-untyped-call]

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return self.as_subclass(Tensor).clone()


def _send(lent: SharedTensor) -> Any:
    """How a worker's queue pickles it: once by its file, and if there is another time, as any tensor."""
    piece = lent.piece
    if piece is None:
        return reduce_tensor(lent.as_subclass(Tensor).clone())  # type: ignore[no-untyped-call]
    lent.piece = None
    piece.memory[0] = 1
    return _receive, (reduction.DupFd(piece.file), piece.size, tuple(lent.shape), lent.dtype)


def _receive(file: Any, size: int, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    descriptor = file.detach()
    try:
        head, memory = mmap.mmap(descriptor, _HEAD), mmap.mmap(descriptor, _HEAD + size)
    finally:
        os.close(descriptor)
    weakref.finalize(memory, _give_back, head).atexit = False
    return torch.frombuffer(memory, dtype=dtype, offset=_HEAD).reshape(*shape)


def _give_back(head: mmap.mmap) -> None:
    head[0] = 0


reduction.ForkingPickler.register(SharedTensor, _send)
