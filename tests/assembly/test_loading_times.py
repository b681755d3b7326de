"""The times of loading travel with the batch."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch

from sslreg.assembly import SampleDataset
from sslreg.assembly.loading_times import LOADING_PHASES, LoadingTimes, MeasuredBatch, MeasuredCollate, MeasuredDataset
from sslreg.contracts import Augmentation, Batch
from sslreg.views import Collate, Operation, ViewPlan
from sslreg_augmentations.resize import Resize


class Slow:
    """A data set of small images that are slow to get."""

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> torch.Tensor:
        time.sleep(0.005)
        return torch.zeros(3, 8, 8, dtype=torch.uint8)


class SlowView(Augmentation):
    """A view that takes long."""

    def apply(self, images, params):
        time.sleep(0.05)
        return images


def load(dataset: object, *operations: Operation) -> LoadingTimes:
    """Load a batch twice, and return the times of the second."""
    samples = MeasuredDataset(SampleDataset(dataset))
    collate = MeasuredCollate(Collate([ViewPlan(operations)]))
    first, second = (collate(samples.__getitems__(range(4))) for _ in range(2))
    assert first.times == LoadingTimes()
    return second.times


def test_a_slow_data_set_counts_as_reading() -> None:
    times = load(Slow())
    assert times.batches == 1
    assert times.seconds["reading"] > 0.8 * times.seconds.total()


def test_a_slow_augmentation_counts_as_views() -> None:
    times = load([torch.zeros(3, 8, 8, dtype=torch.uint8)] * 8, Operation("slow", SlowView()))
    assert times.seconds["views"] > 0.8 * times.seconds.total()


def test_files_are_read_and_decoded_and_their_pixels_counted(photos: Path) -> None:
    times = load([photos / "rgb.jpg", photos / "trip" / "photo.bmp"] * 4, Operation("resize", Resize(32)))
    assert set(times.seconds) == set(LOADING_PHASES)
    assert all(seconds > 0 for seconds in times.seconds.values())
    assert times.counts["images"] == 4
    assert times.counts["pixels"] == 2 * (60 * 80 + 60 * 80)


def test_the_batch_is_that_of_the_collate_function() -> None:
    collate = Collate([ViewPlan([])])
    samples = MeasuredDataset(SampleDataset([torch.full((3, 8, 8), n, dtype=torch.uint8) for n in range(4)]))
    fetched = samples.__getitems__([(0, 2), (0, 1)])
    assert [sample.index for sample in fetched] == [2, 1]
    assert (len(samples), samples[0, 3].index) == (4, 3)
    batch, expected = MeasuredCollate(collate)(fetched).batch, collate(list(fetched))
    assert isinstance(batch, Batch)
    assert isinstance(expected, Batch)
    assert torch.equal(batch.views[0], expected.views[0])


def test_times_of_batches_add_up() -> None:
    times = LoadingTimes()
    for _ in range(2):
        other = LoadingTimes(1)
        other.seconds["views"], other.counts["images"] = 0.5, 8  # type: ignore[assignment]
        times.add(other)
    assert (times.batches, times.seconds, times.counts) == (2, {"views": 1.0}, {"images": 16})


@pytest.mark.parametrize("content", ["an error", None])
def test_what_has_no_memory_to_lock_is_passed_on(content: object) -> None:
    measured = MeasuredBatch(content, LoadingTimes())
    assert measured.pin_memory() is measured
