"""The facts of many images of a data set, which threads examine."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

import sslreg
from sslreg_data.image_facts import ImageFacts, Unreadable, examine

#: How many images each thread examines before the next ones are taken from the data set.
_PER_THREAD = 8


@dataclass
class Survey:
    """The facts of the examined images of a data set.

    Attributes:
        readable: The facts of each image that can be read.
        unreadable: The other images.
    """

    readable: list[ImageFacts] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)

    def count(self, attribute: str) -> Counter[Any]:
        """Return how many readable images have each value of an attribute, such as ``depth``."""
        return Counter(getattr(facts, attribute) for facts in self.readable)

    def share(self, attribute: str) -> float:
        """Return the share of the readable images for which an attribute holds, such as ``is_gray``."""
        return float(np.mean([getattr(facts, attribute) for facts in self.readable]))

    def measure_levels(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Return mean and standard deviation of each channel, in [0, 1]; each image counts the same.

        Returns:
            None if images differ in their channels, or none can be read.
        """
        if len({facts.mean.shape for facts in self.readable}) != 1:
            return None
        mean = np.mean([facts.mean for facts in self.readable], axis=0)
        square = np.mean([facts.square for facts in self.readable], axis=0)
        return mean, np.sqrt(np.maximum(square - mean**2, 0))


def survey_images(
    samples: sslreg.SampleDataset,
    rows: Sequence[int],
    readers: sslreg.Readers,
    channels: int | None = None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Survey:
    """Examine images of a data set.

    Args:
        samples: The data set.
        rows: The numbers of the samples.
        readers: The readers of the run.
        channels: The channels to which a run converts every image; None keeps those of each image.
        on_progress: Called with the number of images that are done.
    """
    survey = Survey()
    threads = os.cpu_count() or 1
    size = _PER_THREAD * threads
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(rows), size):
            # One thread reads the data set, because it need not be safe for several.
            images = [(samples.name(row), samples[row].image) for row in rows[start : start + size]]
            for facts in pool.map(lambda item: examine(item[0], item[1], readers, channels), images):
                if isinstance(facts, ImageFacts):
                    survey.readable.append(facts)
                else:
                    survey.unreadable.append(facts)
            on_progress(min(start + size, len(rows)))
    return survey


def choose_rows(count: int, limit: int | None) -> Sequence[int]:
    """Return the numbers of at most `limit` samples, at equal distances; of all if it is None."""
    if limit is None or limit >= count:
        return range(count)
    return [int(row) for row in np.linspace(0, count - 1, limit).round()]


def find_duplicates(surveys: Iterable[Survey]) -> list[list[str]]:
    """Return the names of images with equal levels, in groups of at least two, the largest group first."""
    names: dict[bytes, list[str]] = defaultdict(list)
    for survey in surveys:
        for facts in survey.readable:
            names[facts.digest].append(facts.name)
    return sorted((group for group in names.values() if len(group) > 1), key=len, reverse=True)


def count_shared(first: Survey, second: Survey) -> int:
    """Return how many images of the second survey have the levels of an image of the first."""
    digests = {facts.digest for facts in first.readable}
    return sum(facts.digest in digests for facts in second.readable)
