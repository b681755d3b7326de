"""The facts of many images."""

from __future__ import annotations

import numpy as np
import pytest

import sslreg
from sslreg_data.image_facts import ImageFacts
from sslreg_data.survey import Survey, choose_rows, count_shared, find_duplicates, survey_images


def survey_of(*images: object) -> Survey:
    return survey_images(
        sslreg.SampleDataset([(image, None) for image in images]), range(len(images)), sslreg.Readers()
    )


def gray(level: int, size: int = 4) -> np.ndarray:
    return np.full((1, size, size), level, np.uint8)


def test_every_image_is_examined_in_order() -> None:
    done: list[int] = []
    samples = sslreg.SampleDataset([(gray(level), None) for level in range(100)])
    survey = survey_images(samples, range(0, 100, 2), sslreg.Readers(), on_progress=done.append)
    assert [facts.name for facts in survey.readable] == [str(row) for row in range(0, 100, 2)]
    assert done[-1] == 50
    assert done == sorted(done)


def test_unreadable_images_are_kept_apart() -> None:
    survey = survey_of(gray(1), b"broken")
    assert len(survey.readable) == 1
    assert [each.name for each in survey.unreadable] == ["1"]


def test_the_levels_are_those_of_all_pixels() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 8, 8), dtype=np.uint8)
    levels = survey_of(*images).measure_levels()
    assert levels is not None
    pixels = images.transpose(1, 0, 2, 3).reshape(3, -1) / 255
    assert np.allclose(levels[0], pixels.mean(axis=1))
    assert np.allclose(levels[1], pixels.std(axis=1))


def test_images_with_other_channels_have_no_common_levels() -> None:
    assert survey_of(gray(1), np.zeros((3, 4, 4), np.uint8)).measure_levels() is None
    assert Survey().measure_levels() is None


def test_duplicates_have_equal_levels() -> None:
    survey = survey_of(gray(1), gray(2), gray(2), gray(1), gray(2), gray(3))
    assert find_duplicates([survey]) == [["1", "2", "4"], ["0", "3"]]


def test_images_of_the_test_set_that_are_in_the_training_set() -> None:
    assert count_shared(survey_of(gray(1), gray(2)), survey_of(gray(2), gray(2), gray(3))) == 2


def test_values_are_counted() -> None:
    survey = survey_of(gray(1), gray(1, size=5), gray(2))
    assert survey.count("size") == {(4, 4): 2, (5, 5): 1}
    assert survey.share("is_gray") == 1
    assert all(isinstance(facts, ImageFacts) for facts in survey.readable)


@pytest.mark.parametrize(
    ("count", "limit", "rows"), [(4, None, [0, 1, 2, 3]), (3, 5, [0, 1, 2]), (100, 3, [0, 50, 99]), (9, 1, [0])]
)
def test_rows_are_chosen_at_equal_distances(count: int, limit: int | None, rows: list[int]) -> None:
    assert list(choose_rows(count, limit)) == rows
