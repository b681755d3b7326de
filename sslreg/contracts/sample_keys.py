"""Counter-based randomness: the draws for a sample depend only on its key.

A key is 64 bits mixed from (seed, epoch, sample index, view, operation name, occurrence). Draw number d of an
operation is a hash of the key and d, so there is no state to carry between batches, workers or processes. The mixer
is the finalizer of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from functools import cache
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sslreg.contracts.augmentation import Number

Words = NDArray[np.uint64]
Floats = NDArray[np.float64]

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_TO_UNIT = 2.0**-53


def _mix(words: Words) -> Words:
    """Hash the words in place and return them."""
    words ^= words >> np.uint64(30)
    words *= _MIX_1
    words ^= words >> np.uint64(27)
    words *= _MIX_2
    words ^= words >> np.uint64(31)
    return words


@cache
def _word(name: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little"))


def _wrapped(value: int) -> np.uint64:
    return np.uint64(value & 0xFFFF_FFFF_FFFF_FFFF)


class SampleKeys:
    """The `Keys` of N samples, one 64-bit word each.

    Each draw increments a counter that all samples share; `child` starts from zero under another name.
    """

    def __init__(self, words: Words) -> None:
        self._words = words
        self._draws = 0

    @classmethod
    def of_samples(cls, seed: int, epochs: Sequence[int], indices: Sequence[int]) -> SampleKeys:
        """Return the keys of samples by (seed, epoch, index); epochs and indices have N entries."""
        words = np.full(len(indices), _wrapped(seed))
        for part in (epochs, indices):
            words = _mix(words + _GAMMA)
            words += np.asarray(part, dtype=np.int64).view(np.uint64)
        return cls(_mix(words + _GAMMA))

    @classmethod
    def from_torch(cls, n: int) -> SampleKeys:
        """Draw keys for samples without index or epoch from torch's global generator."""
        words = torch.randint(torch.iinfo(torch.int64).min, torch.iinfo(torch.int64).max, (n,))
        return cls(words.numpy().view(np.uint64).copy())

    def __len__(self) -> int:
        return len(self._words)

    def with_rows(self, rows: Sequence[int], others: SampleKeys) -> SampleKeys:
        """Return these keys with those at `rows` replaced by the others, in order, and the counter at zero."""
        words = self._words.copy()
        words[np.asarray(rows, dtype=np.intp)] = others._words
        return SampleKeys(words)

    def child(self, name: str) -> SampleKeys:
        return SampleKeys(_mix(self._words ^ _word(name)))

    def for_operations(self, views: Sequence[int], names: Sequence[tuple[str, int]]) -> list[SampleKeys]:
        """Return the keys of each operation, in several views: N of the first view, then N of the next.

        Args:
            views: the numbers of the views, from 0.
            names: for each operation its name and its occurrence (0 for the first of that name).
        """
        of_views = np.concatenate([self.child(f"view {view}")._words for view in views])
        words = np.array([_word(f"{name} {occurrence}") for name, occurrence in names], np.uint64)
        return [SampleKeys(row) for row in _mix(of_views ^ words[:, None])]

    def uniform(self, low: Number = 0.0, high: Number = 1.0, size: tuple[int, ...] = ()) -> Tensor:
        units = self._units(size)
        bottom, top = self._align(low, size), self._align(high, size)
        # Rounding to float32 may reach the upper bound, which is not part of the interval.
        last = np.nextafter(np.float32(top), np.float32(bottom))
        values = (bottom + (top - bottom) * units).astype(np.float32)
        return torch.from_numpy(np.minimum(values, last, out=values))

    def normal(self, mean: Number = 0.0, std: Number = 1.0, size: tuple[int, ...] = ()) -> Tensor:
        # Box and Muller's transform; 1 - u lies in (0, 1], where the logarithm is finite.
        radius = np.sqrt(-2.0 * np.log(1.0 - self._units(size)))
        values = radius * np.cos(2.0 * math.pi * self._units(size))
        return torch.from_numpy((self._align(mean, size) + self._align(std, size) * values).astype(np.float32))

    def integers(self, low: Number, high: Number, size: tuple[int, ...] = ()) -> Tensor:
        bottom, top = self._align(low, size), self._align(high, size)
        if np.any(top <= bottom):
            raise ValueError(f"there is no integer in [{low}, {high})")
        return torch.from_numpy((bottom + np.floor((top - bottom) * self._units(size))).astype(np.int64))

    def bernoulli(self, p: Number, size: tuple[int, ...] = ()) -> Tensor:
        return torch.from_numpy(np.asarray(self._units(size) < self._align(p, size)))

    def permutation(self, n: int) -> Tensor:
        return torch.from_numpy(np.argsort(self._bits((n,)), axis=1, kind="stable").astype(np.int64))

    def seeds(self) -> Tensor:
        return torch.from_numpy(self._bits(()).view(np.int64))

    def _bits(self, size: tuple[int, ...]) -> Words:
        """Draw random words (N, *size)."""
        self._draws += 1
        words = _mix(self._words + _wrapped(self._draws * int(_GAMMA)))
        if not size:
            return words
        steps = np.arange(1, math.prod(size) + 1, dtype=np.uint64) * _GAMMA
        return _mix(words[:, None] + steps).reshape(len(words), *size)

    def _units(self, size: tuple[int, ...]) -> Floats:
        """Draw float64 (N, *size) from [0, 1)."""
        return cast(Floats, (self._bits(size) >> np.uint64(11)) * _TO_UNIT)

    def _align(self, bound: Number, size: tuple[int, ...]) -> Any:
        """Return a bound in float64; if it differs by sample, with the axes that `size` adds."""
        if not isinstance(bound, Tensor):
            return np.float64(bound)
        values = bound.numpy().astype(np.float64)
        return values.reshape(len(values), *[1] * len(size)) if values.ndim else values
