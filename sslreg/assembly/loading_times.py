"""Measures, in the process that loads a batch, how long its parts take; the times travel with the batch."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch.utils.data

from sslreg.contracts import Sample
from sslreg.phase_clock import loading_clock

#: The parts of loading: items of the data set and bytes of files; from bytes to pixels; from pixels to views.
LOADING_PHASES = ("reading", "decoding", "views")


@dataclass
class LoadingTimes:
    """The time in which a process loaded batches.

    Attributes:
        batches: The number of batches.
        seconds: The seconds of each of `LOADING_PHASES`.
        counts: ``images`` and ``pixels`` that were decoded, not counting arrays of one size; ``faster with X``, the
            images whose reader is faster if X is installed.
    """

    batches: int = 0
    seconds: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, other: LoadingTimes) -> None:
        """Add the times of other batches."""
        self.batches += other.batches
        self.seconds.update(other.seconds)
        self.counts.update(other.counts)


@dataclass(frozen=True)
class MeasuredBatch:
    """A batch, or the error in place of one, with the time in which it was loaded."""

    batch: Any
    times: LoadingTimes

    def pin_memory(self) -> MeasuredBatch:
        """Return the batch in page-locked memory; a DataLoader with ``pin_memory`` calls it."""
        return replace(self, batch=self.batch.pin_memory()) if hasattr(self.batch, "pin_memory") else self


class FetchedSamples(list[Sample]):
    """The samples of a batch, and the seconds in which they were fetched from the data set."""

    seconds = 0.0


class MeasuredDataset(torch.utils.data.Dataset[Sample]):
    """A data set that measures how long the samples of a batch take; `MeasuredCollate` adds that to its times.

    Args:
        samples: The data set.
    """

    def __init__(self, samples: torch.utils.data.Dataset[Sample]) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)  # type: ignore[arg-type]

    def __getitem__(self, key: Any) -> Sample:
        return self.samples[key]

    def __getitems__(self, keys: Sequence[Any]) -> FetchedSamples:
        start = time.perf_counter()
        fetched = FetchedSamples(self.samples[key] for key in keys)
        fetched.seconds = time.perf_counter() - start
        return fetched


class MeasuredCollate:
    """A collate function that returns `MeasuredBatch`es.

    The times of the first batch in each process are empty: kernels are compiled and packages imported in it.

    Args:
        collate: Another collate function.
    """

    def __init__(self, collate: Callable[[Any], Any]) -> None:
        self.collate = collate
        self._is_warm = False

    def __call__(self, samples: FetchedSamples) -> MeasuredBatch:
        with loading_clock() as clock, clock.measure("views"):
            batch = self.collate(samples)
        if not self._is_warm:
            self._is_warm = True
            return MeasuredBatch(batch, LoadingTimes())
        seconds = clock.take()
        seconds["reading"] += samples.seconds  # type: ignore[assignment]  # a Counter of seconds
        return MeasuredBatch(batch, LoadingTimes(1, seconds, clock.counts))
