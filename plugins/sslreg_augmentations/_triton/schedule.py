"""The schedule of photometric programs on a GPU: which kernels run, on which images, in which order.

Contrast needs the mean of all levels before it, and blur the neighbors. There, every pixel waits for others, which on a
GPU needs another kernel. A program runs in passes: sum the levels for a contrast, change them, blur, and change them
again, as far as the program has these. Only a second contrast or blur needs another pass.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sslreg_augmentations._opcodes import BLUR, CONTRAST, NO_OP

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Pass:
    """One pass of N programs of K instructions each.

    Attributes:
        begin: int64 (N,), the first instruction.
        contrast: int64 (N,), the only contrast between `begin` and `stop`; 0 if there is none.
        stop: int64 (N,), the instruction after the changes: a blur, or the first of the next pass.
        end: int64 (N,), the instruction after the changes that follow the blur; `stop` without a blur.
        radius: int64 (N,), the pixels that the blur reaches; 0 without a blur.
        contrasted: int64 (N,), the numbers of the programs with a contrast in this pass, in order, then zeros.
        changed: int64 (N,), likewise those with changes; all of them in the first pass, which converts to float32.
        blurred: int64 (N,), likewise those with a blur.
        contrasted_count: the number of programs in `contrasted`.
        changed_count: the number of programs in `changed`.
        blurred_count: the number of programs in `blurred`.
    """

    begin: Ints
    contrast: Ints
    stop: Ints
    end: Ints
    radius: Ints
    contrasted: Ints
    changed: Ints
    blurred: Ints
    contrasted_count: int
    changed_count: int
    blurred_count: int


#: The columns of a schedule for each pass.
COLUMNS = tuple(field.name for field in fields(Pass) if not field.name.endswith("_count"))


@dataclass(frozen=True)
class Schedule:
    """Everything that the kernels need, in one tensor to copy.

    Attributes:
        passes: the passes.
        values: int32, one row per image: `COLUMNS` of each pass, the K opcodes, and then, as the bits of float32, the K
            factors, and mean and standard deviation of the C channels.
    """

    passes: list[Pass]
    values: Tensor


def make_schedule(codes: Tensor, factors: Tensor, mean: Tensor, std: Tensor, reach: float) -> Schedule:
    """Schedule programs.

    Args:
        codes: (N, K), the opcodes.
        factors: (N, K), their factors.
        mean: (C,), of NORMALIZE.
        std: (C,), of NORMALIZE.
        reach: a BLUR reaches ceil(reach · sigma) pixels.
    """
    count = len(codes)
    passes = split_into_passes(codes.numpy(), np.ceil(reach * factors.double().numpy()).astype(np.int64))
    numbers = [getattr(one, column) for one in passes for column in COLUMNS]
    floats = torch.cat((factors, mean.expand(count, -1), std.expand(count, -1)), dim=1).contiguous()
    integers = torch.cat((torch.from_numpy(np.stack(numbers, axis=1)), codes), dim=1)
    return Schedule(passes, torch.cat((integers.to(torch.int32), floats.view(torch.int32)), dim=1))


def split_into_passes(codes: Ints, radii: Ints) -> list[Pass]:
    """Split programs (N, K) into passes, at least one. radii: (N, K), how far each instruction reaches as a blur."""
    count, last = codes.shape
    rows = np.arange(count)
    # After the last instruction comes one that does not wait.
    padded = np.concatenate((codes, np.full((count, 1), NO_OP)), axis=1)
    barriers = _find_barriers(padded)
    begin = np.zeros(count, np.int64)
    passes: list[Pass] = []
    while not passes or (begin < last).any():
        first = barriers[rows, begin]
        contrasts = padded[rows, first] == CONTRAST
        stop = barriers[rows, first + contrasts]
        blurs = padded[rows, stop] == BLUR
        end = barriers[rows, stop + blurs]
        radius = np.where(blurs, radii[rows, np.minimum(stop, last - 1)], 0)
        lists = _list_programs(contrasted=contrasts, changed=(stop > begin) | (not passes), blurred=blurs)
        passes.append(Pass(begin, np.where(contrasts, first, 0), stop, end, radius, **lists))
        begin = end
    return passes


def _find_barriers(codes: Ints) -> Ints:
    """Return for each instruction (N, K) the next one, itself included, that must wait; the last one if none must."""
    last = codes.shape[1] - 1
    numbers = np.where((codes == CONTRAST) | (codes == BLUR), np.arange(last + 1), last)
    barriers: Ints = np.minimum.accumulate(numbers[:, ::-1], axis=1)[:, ::-1]
    return barriers


def _list_programs(**masks: Mask) -> dict[str, Any]:
    """Return the numbers of the programs in each mask, in order, padded with zeros, and how many there are."""
    lists: dict[str, Any] = {}
    for name, mask in masks.items():
        numbers = np.flatnonzero(mask)
        lists[name], lists[f"{name}_count"] = np.zeros(len(mask), np.int64), len(numbers)
        lists[name][: len(numbers)] = numbers
    return lists
