"""The kernels of `_streaming` in plain torch, for any device and precision: one tile of the logits at a time.

A tile is small enough to stay in the processor's cache between the operations on it. Everything is in base 2, because
torch's exp2 takes a fraction of the time of its exp on a CPU.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

#: Elements in a tile: a megabyte of float32 where caches are small, enough to keep an accelerator busy elsewhere.
CPU_TILE = 2**18
DEVICE_TILE = 2**24


def within(rows: Tensor, scale: float, samples: int) -> Tensor:
    running = None if _never_leaves_range(rows, scale) else _RunningSum(rows, len(rows))
    sums = rows.new_zeros(len(rows))
    for i, j, logits, spare in _upper_tiles(rows, scale, samples):
        if running is not None:
            running.add(i, logits, 1, out=spare)
            if i != j:
                running.add(j, logits, 0, out=spare)
            continue
        weights = logits.exp2_()
        sums[i] += weights.sum(1)
        if i != j:
            sums[j] += weights.sum(0)
    return sums.log2_() if running is None else running.log2()


def within_gradient(rows: Tensor, log_sums: Tensor, gradient: Tensor, scale: float, samples: int) -> Tensor:
    result = torch.zeros_like(rows)
    bounded = _never_leaves_range(rows, scale)
    share = gradient * log_sums.neg().exp2_() if bounded else gradient
    for i, j, logits, spare in _upper_tiles(rows, scale, samples):
        if bounded:
            torch.add(share[i, None], share[j], out=spare)
            weights = logits.exp2_().mul_(spare)
        else:
            torch.sub(logits, log_sums[i, None], out=spare).exp2_().mul_(share[i, None])
            weights = logits.sub_(log_sums[j]).exp2_().mul_(share[j]).add_(spare)
        result[i].addmm_(weights, rows[j])
        if i != j:
            result[j].addmm_(weights.T, rows[i])
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


def _upper_tiles(rows: Tensor, scale: float, samples: int) -> Iterator[tuple[slice, slice, Tensor, Tensor]]:
    """Tiles on and above the diagonal of the rows' logits: row slice, column slice, logits, room of their shape."""
    blocks = _blocks(len(rows), math.isqrt(_tile(rows)))
    room, spare = rows.new_empty(2, blocks[0].stop ** 2).unbind()
    for number, i in enumerate(blocks):
        scaled = rows[i] * scale
        for j in blocks[number:]:
            logits = _view(room, i, j)
            torch.mm(scaled, rows[j].T, out=logits)
            _leave_out(logits, j.start - i.start, samples)
            yield i, j, logits, _view(spare, i, j)


def _all_tiles(
    rows: Tensor, candidates: Tensor, scale: float, samples: int
) -> Iterator[tuple[slice, slice, Tensor, Tensor]]:
    """Tiles of the logits of rows and candidates: row slice, column slice, the candidates there, logits."""
    tall = _blocks(len(rows), math.isqrt(_tile(rows)))
    wide = _blocks(len(candidates), max(1, _tile(rows) // tall[0].stop))
    room = rows.new_empty(tall[0].stop * wide[0].stop)
    for i in tall:
        scaled = rows[i] * scale
        for j in wide:
            columns = candidates[j].to(rows.dtype)
            logits = _view(room, i, j)
            torch.mm(scaled, columns.T, out=logits)
            _leave_out(logits, j.start - i.start, samples)
            yield i, j, columns, logits


def _tile(rows: Tensor) -> int:
    return CPU_TILE if rows.device.type == "cpu" else DEVICE_TILE


def _blocks(count: int, longest: int) -> list[slice]:
    """0 … count in slices of almost equal length, the first of them the longest."""
    pieces = -(-count // longest)
    length = -(-count // pieces)
    return [slice(start, min(start + length, count)) for start in range(0, count, length)]


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
