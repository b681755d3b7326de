"""`Kernels` in plain torch for any device and precision: one tile of the logits at a time.

A tile is small enough to stay in the processor's cache between the operations on it. Powers and logarithms are to base
2 because torch's exp2 takes a fraction of the time of its exp on a CPU.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from sslreg_losses._thread_pool import count_workers, map_shares

#: The longest side of a square tile, in elements: a megabyte of float32 on a CPU, where every worker has two tiles, and
#: large enough to keep any other device busy.
CPU_SIDE = 2**9
DEVICE_SIDE = 2**12

#: The rows and the columns of a tile.
Tile = tuple[slice, slice]


def log_sums_within(rows: Tensor, scale: float, samples: int) -> Tensor:
    def log_sums_over(tiles: Sequence[Tile]) -> Tensor:
        if not _stays_in_range(rows, scale):
            return _running_sum_within(rows, scale, samples, tiles).log2()
        sums = rows.new_zeros(len(rows))
        for i, j, logits, _ in _compute_logits(rows, rows, scale, samples, tiles):
            weights = logits.exp2_()
            sums[i] += weights.sum(1)
            if i != j:
                sums[j] += weights.sum(0)
        return sums.log2_()

    parts = torch.stack(map_shares(log_sums_over, _upper_tiles(rows), rows.device))
    return parts.mul_(math.log(2)).logsumexp(0) / math.log(2)


def _running_sum_within(rows: Tensor, scale: float, samples: int, tiles: Sequence[Tile]) -> _RunningSum:
    running = _RunningSum(rows)
    for i, j, logits, spare in _compute_logits(rows, rows, scale, samples, tiles):
        running.add(i, logits, 1, out=spare)
        if i != j:
            running.add(j, logits, 0, out=spare)
    return running


def gradient_within(rows: Tensor, log_sums: Tensor, gradient: Tensor, scale: float, samples: int) -> Tensor:
    bounded = _stays_in_range(rows, scale)
    share = gradient * log_sums.neg().exp2_() if bounded else gradient

    def gradient_over(tiles: Sequence[Tile]) -> Tensor:
        result = torch.zeros_like(rows)
        for i, j, logits, spare in _compute_logits(rows, rows, scale, samples, tiles):
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

    total, *others = map_shares(gradient_over, _upper_tiles(rows), rows.device)
    for other in others:
        total += other
    return total


def log_sums_across(
    rows: Tensor, candidates: Tensor, scale: float, samples: int, mean: bool
) -> tuple[Tensor, Tensor | None]:
    running = _RunningSum(rows)
    means = torch.zeros_like(rows) if mean else None
    tall, wide = _oblong_sides(rows, candidates)

    def sum_for(blocks: Sequence[slice]) -> None:
        tiles = ((i, j) for i in blocks for j in _blocks(len(candidates), wide))
        for i, j, logits, _ in _compute_logits(rows, candidates, scale, samples, tiles):
            weights, decay = running.add(i, logits, 1, out=logits)
            if means is not None:
                means[i].mul_(decay[:, None]).addmm_(weights, candidates[j].to(rows.dtype))

    map_shares(sum_for, _blocks(len(rows), tall), rows.device)
    if means is not None:
        means /= running.total[:, None]
    return running.log2(), means


def gradient_across(
    rows: Tensor, candidates: Tensor, log_sums: Tensor, gradient: Tensor, scale: float, samples: int
) -> Tensor:
    result = rows.new_zeros(candidates.shape)
    wide, tall = _oblong_sides(candidates, rows)

    def gradient_of(blocks: Sequence[slice]) -> None:
        tiles = ((i, j) for j in blocks for i in _blocks(len(rows), tall))
        for i, j, logits, _ in _compute_logits(rows, candidates, scale, samples, tiles):
            weights = logits.sub_(log_sums[i, None]).exp2_().mul_(gradient[i, None])
            result[j].addmm_(weights.T, rows[i])

    map_shares(gradient_of, _blocks(len(candidates), wide), rows.device)
    return result


class _RunningSum:
    """The sum of 2^logit for each row of a matrix that arrives in tiles, relative to the row's largest logit so far."""

    def __init__(self, rows: Tensor) -> None:
        # Not -inf: for a row whose logits so far are all left out, -inf - -inf is not a number.
        self.top = rows.new_full((len(rows),), torch.finfo(rows.dtype).min / 4)
        self.total = rows.new_zeros(len(rows))

    def add(self, part: slice, logits: Tensor, dim: int, out: Tensor) -> tuple[Tensor, Tensor]:
        """Add a tile to the sums of the rows `part`, along its dimension `dim`.

        Returns:
            2^(logit - top), written to `out`, and the factor by which the weights of earlier tiles shrink.
        """
        top = torch.maximum(self.top[part], logits.amax(dim))
        decay = (self.top[part] - top).exp2_()
        weights = torch.sub(logits, top.unsqueeze(dim), out=out).exp2_()
        self.total[part] = decay * self.total[part] + weights.sum(dim)
        self.top[part] = top
        return weights, decay

    def log2(self) -> Tensor:
        return self.top + self.total.log2()


def _stays_in_range(rows: Tensor, scale: float) -> bool:
    """Return whether 2^±scale, and sums and quotients of such, are safely within the range of the rows' type."""
    return scale < 0.55 * math.log2(torch.finfo(rows.dtype).max)


def _compute_logits(
    rows: Tensor, candidates: Tensor, scale: float, samples: int, tiles: Iterable[Tile]
) -> Iterator[tuple[slice, slice, Tensor, Tensor]]:
    """Yield each tile's rows, columns and logits, and spare memory of the same shape. The next tile overwrites both."""
    room = spare = rows.new_empty(0)
    for i, j in tiles:
        height, width = i.stop - i.start, j.stop - j.start
        if len(room) < height * width:
            room, spare = rows.new_empty(2, height * width).unbind()
        logits = room[: height * width].view(height, width)
        torch.mm(rows[i] * scale, candidates[j].to(rows.dtype).T, out=logits)
        _mask_same_samples(logits, j.start - i.start, samples)
        yield i, j, logits, spare[: height * width].view(height, width)


def _mask_same_samples(logits: Tensor, offset: int, samples: int) -> None:
    """Write -inf where row and column + `offset` are equal modulo `samples`; nowhere if `samples` is 0."""
    if samples:
        height, width = logits.shape
        first = -(-(offset - height + 1) // samples) * samples
        for multiple in range(first, offset + width, samples):
            logits.diagonal(multiple - offset).fill_(-math.inf)


def _upper_tiles(rows: Tensor) -> list[Tile]:
    """Return square tiles on and above the diagonal of the rows' logits. Those above represent mirror images too."""
    side, count = _side(rows), len(rows)
    if side < count < 8 * side:
        # Half of a tile on the diagonal is computed in vain. More and smaller tiles waste less.
        side = max(side // 2, -(-count // 8))
    blocks = _blocks(count, side)
    return [(i, j) for number, i in enumerate(blocks) for j in blocks[number:]]


def _oblong_sides(shared: Tensor, others: Tensor) -> tuple[int, int]:
    """Return the sides of tiles: `shared` is divided among the workers, the other side is as long as a tile allows."""
    side = _side(shared)
    length = min(side, len(shared))
    if len(shared) * len(others) > side**2:
        length = min(length, -(-len(shared) // count_workers(shared.device)))
    return length, side**2 // length


def _side(rows: Tensor) -> int:
    return CPU_SIDE if rows.device.type == "cpu" else DEVICE_SIDE


def _blocks(count: int, longest: int) -> list[slice]:
    """Divide 0 … count into slices of almost equal length, the first of them the longest."""
    pieces = -(-count // longest)
    length = -(-count // pieces)
    return [slice(start, min(start + length, count)) for start in range(0, count, length)]
