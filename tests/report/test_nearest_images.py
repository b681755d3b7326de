"""The nearest neighbors of a report."""

from __future__ import annotations

import pytest

from sslreg.report.nearest_images import format_similarities


@pytest.mark.parametrize(
    ("similarities", "texts"),
    [
        ([0.91, 0.85], ["0.91", "0.85"]),
        ([0.9991, 0.9994, 0.85], ["0.9991", "0.9994", "0.8500"]),
        ([1.0, 1.0, 0.5], ["1.00", "1.00", "0.50"]),
        ([0.12345671, 0.12345672], ["0.12", "0.12"]),
        ([], []),
    ],
)
def test_similarities_have_the_decimals_that_they_need_to_differ(similarities: list[float], texts: list[str]) -> None:
    assert format_similarities(similarities) == texts
