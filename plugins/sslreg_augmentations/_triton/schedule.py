"""What the kernels do to a batch, and in which order.

Contrast needs the mean of all that comes before it, and blur the neighbors: there every pixel has to wait for others,
which on a GPU takes another kernel. A program runs in rounds. Each sums up levels for a contrast, makes changes from
there on, blurs, and makes more changes, as far as the program has this; only a second contrast or blur needs another
round.
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
class Round:
    """One round of N programs of K instructions each; all int64 (N,).

    The instructions from `begin` to before `stop` are changes, at most one of them a contrast, whose number is
    `contrast`. If there is a blur it is `stop`, reaches `radius` pixels, and is followed by changes to before `end`.
    Otherwise radius is 0, and end is stop.
    contrasted, changed, blurred: the numbers of the programs that do so in this round, in order, then zeros. All
    change in the first round, if only from levels of 8 bits to float32.
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


#: Where a table has each of a round's numbers.
COLUMNS = tuple(field.name for field in fields(Round) if not field.name.endswith("_count"))


@dataclass(frozen=True)
class Table:
    """Everything that the kernels have to know, to be sent in one piece.

    values: int32, a row for each image: `COLUMNS` of each round, the K codes, then as float32 of the same bits K
    factors, and mean and deviation of the C channels.
    """

    rounds: list[Round]
    values: Tensor


def table(codes: Tensor, factors: Tensor, mean: Tensor, std: Tensor, reach: float) -> Table:
    """The table of programs (N, K); mean and std are (C,), and a blur of sigma reaches ceil(reach · sigma) pixels."""
    count = len(codes)
    rounds = rounds_of(codes.numpy(), np.ceil(reach * factors.double().numpy()).astype(np.int64))
    numbers = [getattr(one, column) for one in rounds for column in COLUMNS]
    floats = torch.cat((factors, mean.expand(count, -1), std.expand(count, -1)), dim=1).contiguous()
    integers = torch.cat((torch.from_numpy(np.stack(numbers, axis=1)), codes), dim=1)
    return Table(rounds, torch.cat((integers.to(torch.int32), floats.view(torch.int32)), dim=1))


def rounds_of(codes: Ints, radii: Ints) -> list[Round]:
    """The rounds that programs (N, K) take, one at least. radii: (N, K), how far each would reach as a blur."""
    count, last = codes.shape
    rows = np.arange(count)
    # After the last instruction comes one that nothing has to wait for.
    ended = np.concatenate((codes, np.full((count, 1), NO_OP)), axis=1)
    waiting = _waiting(ended)
    begin = np.zeros(count, np.int64)
    rounds: list[Round] = []
    while not rounds or (begin < last).any():
        first = waiting[rows, begin]
        contrasts = ended[rows, first] == CONTRAST
        stop = waiting[rows, first + contrasts]
        blurs = ended[rows, stop] == BLUR
        end = waiting[rows, stop + blurs]
        radius = np.where(blurs, radii[rows, np.minimum(stop, last - 1)], 0)
        lists = _lists(contrasted=contrasts, changed=(stop > begin) | (not rounds), blurred=blurs)
        rounds.append(Round(begin, np.where(contrasts, first, 0), stop, end, radius, **lists))
        begin = end
    return rounds


def _waiting(codes: Ints) -> Ints:
    """For each instruction the first one from there on that has to wait; the last one (N, K) if there is none."""
    last = codes.shape[1] - 1
    numbers = np.where((codes == CONTRAST) | (codes == BLUR), np.arange(last + 1), last)
    found: Ints = np.minimum.accumulate(numbers[:, ::-1], axis=1)[:, ::-1]
    return found


def _lists(**masks: Mask) -> dict[str, Any]:
    lists: dict[str, Any] = {}
    for name, mask in masks.items():
        numbers = np.flatnonzero(mask)
        lists[name], lists[f"{name}_count"] = np.zeros(len(mask), np.int64), len(numbers)
        lists[name][: len(numbers)] = numbers
    return lists
