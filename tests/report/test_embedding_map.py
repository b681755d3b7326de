"""The map of embeddings."""

from __future__ import annotations

from sslreg.report.embedding_map import COLORS, EmbeddingMap


def test_classes_of_one_color_have_different_shapes() -> None:
    plane = EmbeddingMap([], [], "")
    marks = {(number % COLORS, plane.mark(number)) for number in range(plane.distinct_marks)}
    assert len(marks) == plane.distinct_marks == 60
    assert plane.mark(0) == plane.mark(60)
