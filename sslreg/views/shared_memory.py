"""Shared memory in which a DataLoader's worker passes its views on without a copy.

By default torch copies a worker's result into new shared memory, and the system takes longer to map its pages than the
worker takes to augment the images in them. Here a worker keeps the blocks that it has written views into. The process
that reads a block releases it when the last tensor that uses it is gone, and the worker writes another batch there.
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

#: The first page of a block holds a flag: 1 while another process uses the block, 0 once it has released it.
_HEADER = mmap.PAGESIZE
#: The most blocks that a worker keeps. Beyond it, as when every batch is kept, views are copied.
_MAX_BLOCKS = 64

_blocks: list[_Block] = []
_sharing = False


def empty_result(shape: Sequence[int], dtype: torch.dtype = torch.float32) -> Tensor:
    """Return an uninitialized tensor on the CPU for the result of an augmentation.

    If the result is the view that a DataLoader's worker sends, the tensor is in memory that the receiver shares, which
    saves a copy. Otherwise it is `torch.empty`.
    """
    if not (_sharing and get_worker_info() is not None and hasattr(os, "memfd_create")):
        return torch.empty(*shape, dtype=dtype)
    size = torch.Size(shape).numel() * dtype.itemsize
    block = _free_block(size) if size else None
    return torch.empty(*shape, dtype=dtype) if block is None else block.new_tensor(shape, dtype)


@contextmanager
def share_results(enabled: bool) -> Iterator[None]:
    """Have `empty_result` return shared memory, if enabled: while the last stage on the host runs."""
    global _sharing
    before, _sharing = _sharing, enabled
    try:
        yield
    finally:
        _sharing = before


class _Block:
    """Memory with a file descriptor, by which another process can map it."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.file = os.memfd_create("sslreg-view")
        os.ftruncate(self.file, _HEADER + size)
        self.memory = mmap.mmap(self.file, _HEADER + size)
        self._used_here: Callable[[], object] = lambda: None

    @property
    def free(self) -> bool:
        """Whether no tensor uses it, neither here nor in the process that it was sent to."""
        return self._used_here() is None and self.memory[0] == 0

    def new_tensor(self, shape: Sequence[int], dtype: torch.dtype) -> SharedTensor:
        # The tensor's storage holds the memory view, which lives as long as any tensor that shares the storage.
        view = memoryview(self.memory)[_HEADER:]
        self._used_here = weakref.ref(view)
        shared = torch.frombuffer(view, dtype=dtype).reshape(*shape).as_subclass(SharedTensor)
        shared.block = self
        return shared

    def close(self) -> None:
        os.close(self.file)


def _free_block(size: int) -> _Block | None:
    for block in _blocks:
        if block.size == size and block.free:
            return block
    if len(_blocks) == _MAX_BLOCKS:
        unused = next((block for block in _blocks if block.free), None)
        if unused is None:
            return None
        _blocks.remove(unused)
        unused.close()
    _blocks.append(_Block(size))
    return _blocks[-1]


class SharedTensor(Tensor):
    """A tensor in a block. Results computed from it are plain tensors, and so is what another process receives."""

    block: _Block | None
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.as_subclass(Tensor).clone().__reduce_ex__(protocol)  # type: ignore[no-untyped-call]

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return self.as_subclass(Tensor).clone()


def _reduce(shared: SharedTensor) -> Any:
    """Pickle for a worker's queue: by the file descriptor the first time, and as any tensor after that."""
    block = shared.block
    if block is None:
        return reduce_tensor(shared.as_subclass(Tensor).clone())  # type: ignore[no-untyped-call]
    shared.block = None
    block.memory[0] = 1
    return _rebuild, (reduction.DupFd(block.file), block.size, tuple(shared.shape), shared.dtype)


def _rebuild(file: Any, size: int, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    descriptor = file.detach()
    try:
        header, memory = mmap.mmap(descriptor, _HEADER), mmap.mmap(descriptor, _HEADER + size)
    finally:
        os.close(descriptor)
    weakref.finalize(memory, _release, header).atexit = False
    return torch.frombuffer(memory, dtype=dtype, offset=_HEADER).reshape(*shape)


def _release(header: mmap.mmap) -> None:
    header[0] = 0


reduction.ForkingPickler.register(SharedTensor, _reduce)
