"""Fused `Kernels` for CUDA in Triton: a block of rows meets its candidates block by block, in registers.

Each block of rows is a separate program that writes separate results, so sums do not depend on the order in which
programs run. Embeddings are read in float32, multiplied on tensor cores in the precision of
``torch.set_float32_matmul_precision``, and accumulated in float32.
"""

# mypy: disable-error-code="no-untyped-def, untyped-decorator, import-untyped"
from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

#: For embeddings up to a width, the sizes of blocks of rows and of candidates and the stages of the pipeline. They need
#: less than the 99 KiB of shared memory of every architecture from Ampere on.
BLOCKS = {128: (64, 32, 2), 256: (32, 32, 1)}


def supports(rows: Tensor) -> bool:
    """Return whether these kernels support the rows: float32, at most 256 wide, on NVIDIA Ampere or newer."""
    if not rows.is_cuda or torch.version.cuda is None or torch.cuda.get_device_capability(rows.device) < (8, 0):
        return False
    return rows.dtype == torch.float32 and rows.shape[1] <= max(BLOCKS)


def log_sums_within(rows: Tensor, scale: float, samples: int) -> Tensor:
    return log_sums_across(rows, rows, scale, samples, mean=False)[0]


def gradient_within(rows: Tensor, log_sums: Tensor, gradient: Tensor, scale: float, samples: int) -> Tensor:
    return _weighted_sum(rows, rows, log_sums, gradient, scale, samples, mutual=True)


def log_sums_across(
    rows: Tensor, candidates: Tensor, scale: float, samples: int, mean: bool
) -> tuple[Tensor, Tensor | None]:
    rows, candidates = rows.contiguous(), candidates.contiguous()
    log_sums = rows.new_empty(len(rows))
    means = torch.empty_like(rows) if mean else None
    # Triton needs a tensor for every pointer. Without means it does not write to this one.
    _log_sums[_grid(rows)](
        rows, candidates, log_sums, rows if means is None else means, *_sizes(rows, candidates), samples, scale,
        with_mean=mean, **_constants(rows, samples),
    )  # fmt: skip
    return log_sums, means


def gradient_across(
    rows: Tensor, candidates: Tensor, log_sums: Tensor, gradient: Tensor, scale: float, samples: int
) -> Tensor:
    return _weighted_sum(candidates.to(rows.dtype), rows, log_sums, gradient, scale, samples, mutual=False)


def _weighted_sum(
    rows: Tensor, others: Tensor, log_sums: Tensor, shares: Tensor, scale: float, samples: int, mutual: bool
) -> Tensor:
    rows, others, shares = rows.contiguous(), others.contiguous(), shares.contiguous()
    result = torch.empty_like(rows)
    _weighted_sums[_grid(rows)](
        rows, others, log_sums, shares, result, *_sizes(rows, others), samples, scale,
        mutual=mutual, **_constants(others, samples),
    )  # fmt: skip
    return result


def _sizes(rows: Tensor, others: Tensor) -> tuple[int, int, int]:
    return len(rows), len(others), rows.shape[1]


def _block(rows: Tensor) -> tuple[int, int, int]:
    return next(block for width, block in BLOCKS.items() if rows.shape[1] <= width)


def _grid(rows: Tensor) -> tuple[int]:
    return (triton.cdiv(len(rows), _block(rows)[0]),)


def _constants(rows: Tensor, samples: int) -> dict[str, Any]:
    tall, wide, stages = _block(rows)
    return {
        "leave_out": samples > 0,
        "tall": tall,
        "wide": wide,
        "width": max(16, triton.next_power_of_2(rows.shape[1])),
        # Three products of rounded parts are nearly as exact as one in float32, and they run on tensor cores.
        "precision": "tf32x3" if torch.get_float32_matmul_precision() == "highest" else "tf32",
        "num_stages": stages,
    }


@triton.jit
def _load(rows, index, count, dim, width: tl.constexpr):
    d = tl.arange(0, width)
    where = index.to(tl.int64)[:, None] * dim + d[None, :]
    return tl.load(rows + where, mask=(index < count)[:, None] & (d < dim)[None, :], other=0.0).to(tl.float32)


@triton.jit
def _store(values, rows, index, count, dim, width: tl.constexpr):
    d = tl.arange(0, width)
    where = index.to(tl.int64)[:, None] * dim + d[None, :]
    tl.store(rows + where, values, mask=(index < count)[:, None] & (d < dim)[None, :])


@triton.jit
def _logits(x, y, i, j, count, samples, leave_out: tl.constexpr, precision: tl.constexpr):
    keep = (j < count)[None, :]
    if leave_out:
        keep = keep & ((i % samples)[:, None] != (j % samples)[None, :])
    return tl.where(keep, tl.dot(x, tl.trans(y), input_precision=precision), float("-inf"))


@triton.jit
def _log_sums(
    rows, candidates, log_sums, means, count, candidate_count, dim, samples, scale,
    with_mean: tl.constexpr, leave_out: tl.constexpr, tall: tl.constexpr, wide: tl.constexpr, width: tl.constexpr,
    precision: tl.constexpr,
):  # fmt: skip
    i = tl.program_id(0) * tall + tl.arange(0, tall)
    x = _load(rows, i, count, dim, width) * scale
    top = tl.full([tall], float("-inf"), tl.float32)
    total = tl.zeros([tall], tl.float32)
    mean = tl.zeros([tall, width], tl.float32)
    for start in range(0, candidate_count, wide):
        j = start + tl.arange(0, wide)
        y = _load(candidates, j, candidate_count, dim, width)
        logits = _logits(x, y, i, j, candidate_count, samples, leave_out, precision)
        new_top = tl.maximum(top, tl.max(logits, 1))
        # If all candidates so far are left out, -inf - -inf would not be a number.
        shift = tl.where(new_top == float("-inf"), 0.0, new_top)
        weights = tl.exp2(logits - shift[:, None])
        decay = tl.exp2(top - shift)
        total = total * decay + tl.sum(weights, 1)
        if with_mean:
            mean = mean * decay[:, None] + tl.dot(weights, y, input_precision=precision)
        top = new_top
    tl.store(log_sums + i, top + tl.log2(total), mask=i < count)
    if with_mean:
        _store(mean / total[:, None], means, i, count, dim, width)


@triton.jit
def _weighted_sums(
    rows, others, log_sums, shares, result, count, other_count, dim, samples, scale,
    mutual: tl.constexpr, leave_out: tl.constexpr, tall: tl.constexpr, wide: tl.constexpr, width: tl.constexpr,
    precision: tl.constexpr,
):  # fmt: skip
    # Σ_j share_j·2^(logit - log_sum_j) y_j, for rows that are candidates of the others. Sums and shares belong to the
    # others. With mutual, both are the same rows, and share_i·2^(logit - log_sum_i) is added.
    i = tl.program_id(0) * tall + tl.arange(0, tall)
    x = _load(rows, i, count, dim, width) * scale
    if mutual:
        own_sum = tl.load(log_sums + i, mask=i < count, other=0.0)
        own_share = tl.load(shares + i, mask=i < count, other=0.0)
    sums = tl.zeros([tall, width], tl.float32)
    for start in range(0, other_count, wide):
        j = start + tl.arange(0, wide)
        y = _load(others, j, other_count, dim, width)
        logits = _logits(x, y, i, j, other_count, samples, leave_out, precision)
        log_sum = tl.load(log_sums + j, mask=j < other_count, other=0.0)
        share = tl.load(shares + j, mask=j < other_count, other=0.0)
        weights = tl.exp2(logits - log_sum[None, :]) * share[None, :]
        if mutual:
            weights += tl.exp2(logits - own_sum[:, None]) * own_share[:, None]
        sums += tl.dot(weights, y, input_precision=precision)
    _store(sums, result, i, count, dim, width)
