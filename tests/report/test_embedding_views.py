"""Pictures of embedding views."""

from __future__ import annotations

import numpy as np

from sslreg import Run
from sslreg.report.drawing import WRONG
from sslreg.report.embedding_views import draw_embedding_views, make_patch_tile


def test_a_view_is_drawn_without_its_normalization(patch_run: Run) -> None:
    images = [np.full((1, 8, 8), level, np.uint8) for level in (0, 200)]
    views = draw_embedding_views(patch_run.spec, images)
    assert [view.getextrema() for view in views] == [(0, 0), (200, 200)]


def test_the_frame_is_around_the_patch(patch_run: Run) -> None:
    tile = make_patch_tile(patch_run.spec, np.zeros((1, 8, 8), np.uint8), (1, 2), (4, 4), "name")
    framed = (np.asarray(tile.picture) == WRONG).all(axis=-1)
    rows, columns = framed.any(axis=1).nonzero()[0], framed.any(axis=0).nonzero()[0]
    assert tile.picture.size == (160, 160)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (39, 80, 79, 120)
    assert not framed[40:80, 80:120].any()
