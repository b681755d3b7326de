"""The range of levels and the background that a spec states."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import sslreg
from sslreg.assembly import build_collate, build_embed_collate, build_image_loader
from sslreg.spec import Spec, parse_spec


@pytest.fixture
def spec(tiny_spec: str) -> Any:
    def make(*overrides: str) -> Spec:
        views = "views=[{repeat: 2, augment: [{use: resize, size: 8}]}]"
        return parse_spec(tiny_spec, "tiny.yaml", ["data.channels=3", views, *overrides])

    return make


def clear(size: int = 8) -> bytes:
    file = io.BytesIO()
    Image.new("RGBA", (size, size), (0, 0, 0, 0)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("background", "expected"), [("white", 1), ("black", 0), ("'#ff0000'", [1, 0, 0]), ("'#336699'", [0.2, 0.4, 0.6])]
)
def test_the_spec_states_the_background(spec: Any, background: str, expected: Any) -> None:
    chosen = spec(f"data.background={background}")
    image = sslreg.to_float(build_image_loader(chosen)(clear()))
    assert torch.allclose(image[:, 0, 0], torch.tensor(expected, dtype=torch.float32).expand(3))


def test_a_random_background_differs_between_views_samples_and_epochs_and_is_reproducible(spec: Any) -> None:
    collate = build_collate(spec("data.background=random"))

    def colors(indices: range, epoch: int = 0) -> np.ndarray:
        batch = collate([sslreg.Sample(clear(), index=index, epoch=epoch) for index in indices])
        assert all((view == view[..., :1, :1]).all() for view in batch.views)
        return np.stack([view[..., 0, 0].numpy() for view in batch.views])

    first = colors(range(4))
    assert first.shape == (2, 4, 3)
    assert len(np.unique(first.reshape(-1, 3), axis=0)) == 8
    assert np.array_equal(colors(range(2, 4)), first[:, 2:])
    assert not (colors(range(4), epoch=1) == first).all(axis=2).any()


def test_a_random_background_is_white_where_images_are_embedded(spec: Any) -> None:
    chosen = spec("data.background=random")
    assert (build_embed_collate(chosen)([sslreg.Sample(clear(), index=0, epoch=0)]).views[0] == 1).all()
    assert (build_image_loader(chosen)(clear()) == 255).all()


def test_the_opacity_is_kept_as_a_channel(spec: Any) -> None:
    collate = build_collate(spec("data.channels=4", "data.background=keep"))
    views = collate([clear(), Image.new("L", (8, 8), 255)]).views
    assert views[0][:, :, 0, 0].tolist() == [[0, 0, 0, 0], [1, 1, 1, 1]]


def test_the_spec_states_the_range_of_levels(spec: Any) -> None:
    levels = np.full((3, 8, 8), 5000, np.int16)
    batch = build_collate(spec("data.range=[0, 10000]"))([levels])
    assert (batch.views[0] == 0.5).all()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data.range=[1, 1]"], "the first level, which is black, is below the second"),
        (["data.range=[0, .inf]"], "it should be finite"),
        (["data.background=grey"], "white, black, random, keep, or a quoted color such as '#808080'"),
        (["data.background='#88'"], "a quoted color"),
        (["data.background=keep"], "needs a channel for the opacity, and data.channels is 3"),
    ],
)
def test_mistakes_are_found_before_training(spec: Any, overrides: list[str], message: str) -> None:
    with pytest.raises(sslreg.UserError, match=message):
        spec(*overrides)
