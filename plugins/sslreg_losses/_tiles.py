"""The kernels of `_streaming` in plain torch, for any device and precision: one tile of the logits at a time.

A tile is small enough to stay in the processor's cache between the operations on it, and large enough that starting
each of them on several threads costs little. Everything is in base 2, because torch's exp2 takes a fraction of the time
of its exp on a CPU.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

#: Rows of a tile at most, and its elements: a few megabytes on a CPU, enough to keep any other device busy.
CPU_TILE = (2**9, 2**20)
DEVICE_TILE = (2**12, 2**24)


def within(rows: Tensor, scale: float, samples: int) -> Tensor:
    if not _never_leaves_range(rows, scale):
        return _within_of_any_range(rows, scale, samples)
    sums = rows.new_zeros(len(rows))
    for i, j, new, logits, _ in _upper_tiles(rows, scale, samples):
        weights = logits.exp2_()
        sums[i] += weights.sum(1)
        sums[j][new] += weights[:, new].sum(0)
    return sums.log2_()


def _within_of_any_range(rows: Tensor, scale: float, samples: int) -> Tensor:
    running = _RunningSum(rows, len(rows))
    for i, j, new, logits, spare in _upper_tiles(rows, scale, samples):
        running.add(i, logits, 1, out=spare)
        if new.start < logits.shape[1]:
            running.add(slice(j.start + new.start, j.stop), logits[:, new], 0, out=spare[:, new])
    return running.log2()


def within_gradient(rows: Tensor, log_sums: Tensor, gradient: Tensor, scale: float, samples: int) -> Tensor:
    result = torch.zeros_like(rows)
    bounded = _never_leaves_range(rows, scale)
    share = gradient * log_sums.neg().exp2_() if bounded else gradient
    for i, j, new, logits, spare in _upper_tiles(rows, scale, samples):
        if bounded:
            torch.add(share[i, None], share[j], out=spare)
            weights = logits.exp2_().mul_(spare)
        else:
            torch.sub(logits, log_sums[i, None], out=spare).exp2_().mul_(share[i, None])
            weights = logits.sub_(log_sums[j]).exp2_().mul_(share[j]).add_(spare)
        result[i].addmm_(weights, rows[j])
        result[j][new].addmm_(weights[:, new].T, rows[i])
    return result


def across(rows: Tensor, candidates: Tensor, scale: float, samples: int, mean: bool) -> tuple[Tensor, Tensor | None]:
    running = _RunningSum(rows, len(rows))
    means = torch.zeros_like(rows) if mean else None
    for i, _, columns, logits in _all_tiles(rows, candidates, scale, samples):
        weights, decay = running.add(i, logits, 1, out=logits)
        if means is not None:
            means[i].mul_(decay[:, None]).addmm_(weights, columns)
    if means is not None:
        means /= running.total[:, None]
    return running.log2(), means


def across_gradient(
    rows: Tensor, candidates: Tensor, log_sums: Tensor, gradient: Tensor, scale: float, samples: int
) -> Tensor:
    result = rows.new_zeros(candidates.shape)
    for i, j, _, logits in _all_tiles(rows, candidates, scale, samples):
        weights = logits.sub_(log_sums[i, None]).exp2_().mul_(gradient[i, None])
        result[j].addmm_(weights.T, rows[i])
    return result


class _RunningSum:
    """Σ 2^logit along the rows of a matrix that comes in tiles, relative to the largest logit so far."""

    def __init__(self, like: Tensor, count: int) -> None:
        # Not -inf: -inf less -inf, where a row has only left out logits so far, is not a number.
        self.top = like.new_full((count,), torch.finfo(like.dtype).min / 4)
        self.total = like.new_zeros(count)

    def add(self, part: slice, logits: Tensor, dim: int, out: Tensor) -> tuple[Tensor, Tensor]:
        """Add a tile to the sums of `part`, along its dimension `dim`.

        Returns 2^(logit - top), written to `out`, and the factor by which weights returned before shrink.
        """
        top = torch.maximum(self.top[part], logits.amax(dim))
        decay = (self.top[part] - top).exp2_()
        weights = torch.sub(logits, top.unsqueeze(dim), out=out).exp2_()
        self.total[part] = decay * self.total[part] + weights.sum(dim)
        self.top[part] = top
        return weights, decay

    def log2(self) -> Tensor:
        return self.top + self.total.log2()


def _never_leaves_range(rows: Tensor, scale: float) -> bool:
    """Whether 2^±scale, and sums and quotients of such, are safely within the range of the rows' type."""
    return scale < 0.55 * math.log2(torch.finfo(rows.dtype).max)


def _upper_tiles(rows: Tensor, scale: float, samples: int) -> Iterator[tuple[slice, slice, slice, Tensor, Tensor]]:
    """Tiles that cover the rows' logits on and above the diagonal.

    Yields the slice of the rows, that of the columns, the slice within the columns that lies beyond the rows, where the
    tile stands for its mirror image as well, the logits, and room of their shape.
    """
    tall, elements = _tile(rows, len(rows))
    room, spare = rows.new_empty(2, elements).unbind()
    for i in _blocks(0, len(rows), tall):
        scaled = rows[i] * scale
        for j in _blocks(i.start, len(rows), elements // tall):
            logits = _view(room, i, j)
            torch.mm(scaled, rows[j].T, out=logits)
            _leave_out(logits, j.start - i.start, samples)
            new = slice(max(0, i.stop - j.start), None)
            yield i, j, new, logits, _view(spare, i, j)


def _all_tiles(
    rows: Tensor, candidates: Tensor, scale: float, samples: int
) -> Iterator[tuple[slice, slice, Tensor, Tensor]]:
    """Tiles of the logits of rows and candidates: row slice, column slice, the candidates there, logits."""
    tall, elements = _tile(rows, len(candidates))
    room = rows.new_empty(elements)
    for i in _blocks(0, len(rows), tall):
        scaled = rows[i] * scale
        for j in _blocks(0, len(candidates), elements // tall):
            columns = candidates[j].to(rows.dtype)
            logits = _view(room, i, j)
            torch.mm(scaled, columns.T, out=logits)
            _leave_out(logits, j.start - i.start, samples)
            yield i, j, columns, logits


def _tile(rows: Tensor, columns: int) -> tuple[int, int]:
    """The height of tiles of so many rows, and their elements."""
    tall, elements = CPU_TILE if rows.device.type == "cpu" else DEVICE_TILE
    tall = min(tall, len(rows))
    return tall, min(elements, tall * columns)


def _blocks(start: int, stop: int, longest: int) -> Iterator[slice]:
    """start … stop in slices of almost equal length, the first of them the longest."""
    pieces = -(-(stop - start) // longest)
    length = -(-(stop - start) // pieces)
    yield from (slice(first, min(first + length, stop)) for first in range(start, stop, length))


def _view(room: Tensor, i: slice, j: slice) -> Tensor:
    height, width = i.stop - i.start, j.stop - j.start
    return room[: height * width].view(height, width)


def _leave_out(logits: Tensor, offset: int, samples: int) -> None:
    """Write -inf where column and row are equal modulo `samples`, the columns counting from `offset` (0: nowhere)."""
    if samples:
        height, width = logits.shape
        first = -(-(offset - height + 1) // samples) * samples
        for multiple in range(first, offset + width, samples):
            logits.diagonal(multiple - offset).fill_(-math.inf)
