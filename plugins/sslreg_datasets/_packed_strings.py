"""Many strings in two arrays, whose memory worker processes share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import overload

import numpy as np


class PackedStrings(Sequence[str]):
    """A sequence of strings in two arrays; reading the strings of a list would copy them in every worker process.

    Args:
        strings: The strings, which may be the names of files in any encoding.

    Attributes:
        bytes: The encoded strings, one after the other, uint8.
        ends: The end of each string in `bytes`, int64.
    """

    def __init__(self, strings: Sequence[str]) -> None:
        encoded = [os.fsencode(string) for string in strings]
        self.bytes = np.frombuffer(b"".join(encoded), dtype=np.uint8)
        self.ends = np.cumsum([len(string) for string in encoded], dtype=np.int64)

    @classmethod
    def from_arrays(cls, bytes: np.ndarray, ends: np.ndarray) -> PackedStrings:
        """Return the strings in the two arrays.

        Raises:
            ValueError: The arrays do not fit each other.
        """
        strings = cls(())
        strings.bytes, strings.ends = bytes, ends
        if bytes.dtype != np.uint8 or ends.dtype != np.int64 or (ends[-1:] != len(bytes)).any():
            raise ValueError("the arrays are damaged")
        return strings

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        position = range(len(self))[index]
        start = self.ends[position - 1] if position else 0
        return os.fsdecode(self.bytes[start : self.ends[position]].tobytes())
