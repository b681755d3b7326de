"""The collate functions of a spec."""

from __future__ import annotations

from pathlib import Path

import torch

import sslreg
from sslreg.assembly import build_embed_collate, build_raw_pixels_collate


def test_the_embedding_view_is_deterministic_and_has_the_views_size(spec, photos: Path) -> None:
    collate = build_embed_collate(spec("data.channels=3", "views.0.augment.0.size=32"))
    image = photos / "rgb.jpg"
    first, second = (collate([sslreg.Sample(image, index=1, epoch=epoch)]).views[0] for epoch in (0, 5))
    assert first.shape == (1, 3, 32, 32)
    assert torch.equal(first, second)


def test_a_custom_embedding_view_is_used(spec) -> None:
    collate = build_embed_collate(spec("embed_view=[{use: resize, size: 12}]"))
    assert collate([torch.zeros(1, 8, 8, dtype=torch.uint8)]).views[0].shape == (1, 1, 12, 12)


def test_raw_pixels_have_the_geometry_of_the_embedding_view(spec) -> None:
    image = torch.full((1, 8, 8), 255, dtype=torch.uint8)
    assert build_embed_collate(spec("views.0.augment.1.mean=[0.75]"))([image]).views[0].max() == 0.5
    assert build_raw_pixels_collate(spec("views.0.augment.1.mean=[0.75]"))([image]).views[0].max() == 1.0


def test_a_collate_of_a_spec_works_in_a_plain_loader(spec) -> None:
    data = sslreg.build("dataset", "digits")
    loader = torch.utils.data.DataLoader(data, batch_size=10, collate_fn=sslreg.build_collate(spec()), num_workers=1)
    batch = next(iter(loader))
    assert [view.shape for view in batch.views] == [(10, 1, 8, 8)] * 2
    assert batch.targets.tolist() == [data[number][1] for number in range(10)]
