"""An axis on which a few extreme values do not flatten all others: they are drawn at its ends, with a mark.

Imports no torch.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

#: The marks of values above and below the range of an axis.
ABOVE, BELOW = "▲", "▼"

#: The characters of values in text, from the lowest.
BLOCKS = "▁▂▃▄▅▆▇█"

#: Larger numbers are not on an axis: differences of them may be infinite.
_LARGEST = 1e300

#: How far a value may exceed the range without a mark, as a share of the range: less than anybody can see.
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Axis:
    """The range of values that an axis shows.

    Attributes:
        low, high: The ends, finite.
    """

    low: float
    high: float

    @classmethod
    def fit(cls, values: Iterable[float], least: float = 0.01) -> Self:
        """Return the axis of values.

        Its range is that of the values up to ±1e300. But if a few of them would leave less than a share of `least` to
        the others, the range leaves them out: at each end up to a quarter of the values (or one), as few as possible.

        Args:
            values: The values. If none is left, the axis runs from 0 to 0.
            least: The smallest share of the axis that most values may take.
        """
        ordered = sorted(value for value in values if abs(value) <= _LARGEST) or [0.0]
        first, last = 0, len(ordered) - 1
        most = min(max(1, len(ordered) // 4), last)
        while True:
            limit = least * (ordered[last] - ordered[first])
            narrower = []
            for low in range(first, min(most, last) + 1):
                high = bisect_left(ordered, ordered[low] + limit, hi=last + 1) - 1
                above = len(ordered) - 1 - high
                if above <= most and ordered[low] < ordered[high]:
                    narrower.append((low + above, low, high))
            if not narrower:
                break
            # Among what remains, there may be extreme values too.
            _, first, last = min(narrower)
        return cls(ordered[first], ordered[last])

    def position(self, value: float) -> float:
        """Return the position of a value, from 0 (low) to 1 (high); 0.5 if the ends are equal.

        A value outside of the range has the position of the nearest end.
        """
        if self.low >= self.high:
            return 0.5
        return (self.clip(value) - self.low) / (self.high - self.low)

    def clip(self, value: float) -> float:
        """Return a value, or the nearest end if it is outside of the range."""
        return min(max(value, self.low), self.high)

    def mark(self, value: float) -> str:
        """Return `ABOVE` or `BELOW` for a value outside of the range, and an empty text for others."""
        tolerance = _TOLERANCE * (self.high - self.low)
        if value > self.high + tolerance:
            return ABOVE
        return BELOW if value < self.low - tolerance else ""

    def blocks(self, values: Iterable[float]) -> str:
        """Return a block character for each value, the mark of a value outside of the range, and a space for NaN."""
        return "".join(self._block(value) for value in values)

    def _block(self, value: float) -> str:
        if math.isnan(value):
            return " "
        share = self.position(value) if self.low < self.high else 0.0
        return self.mark(value) or BLOCKS[round(share * (len(BLOCKS) - 1))]
