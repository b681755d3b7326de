"""The comparison of methods gives both sides the same start and the same recipe, and judges differences correctly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import methods

SAMPLES = 16

#: In multi-crop methods, the sides differ in their batch statistics, so that their weights move differently.
TWO_VIEW_METHODS = [name for name, method in methods.METHODS.items() if method.views == methods.TWO_VIEWS]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of random images."""
    root = tmp_path_factory.mktemp("images")
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (SAMPLES, 28, 28), dtype=np.uint8)
    for split in ("train", "test"):
        methods.write_images(root / split, pixels, np.arange(SAMPLES) % 4)
    return root


@pytest.mark.parametrize("method", TWO_VIEW_METHODS)
def test_both_sides_start_and_move_alike(method: str, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(methods, "BATCH", SAMPLES // 2)
    pipeline = methods.build_pipeline(images, method, epochs=2)
    sides = methods.build_sides(pipeline, methods.METHODS[method].other)

    weights = {name: flatten_weights(side) for name, side in sides.items()}
    assert torch.equal(weights["sslreg"], weights["lightly"])
    for batch in methods.iterate_batches(pipeline, epochs=2):
        for side in sides.values():
            side.take_step(batch)
    moves = {name: flatten_weights(side) - weights[name] for name, side in sides.items()}
    assert (moves["sslreg"] - moves["lightly"]).norm() < 0.1 * moves["lightly"].norm()


def flatten_weights(side: methods.Side) -> torch.Tensor:
    """Return all weights of the backbone in a vector."""
    return torch.cat([weight.detach().flatten() for weight in side.module.backbone.parameters()])


@pytest.mark.parametrize(
    ("ours", "interval", "verdict"),
    [
        ([0.9, 0.9, 0.9], "+0.100 ± 0.000", "better"),
        ([0.7, 0.7, 0.7], "-0.100 ± 0.000", "worse"),
        ([0.9, 1.0, 1.1], "+0.200 ± 0.248", "equal"),  # 4.303 * 0.1 / sqrt(3)
        ([0.9], "+0.100 ± inf", "equal"),
    ],
)
def test_the_verdict_follows_from_the_interval(ours: list[float], interval: str, verdict: str) -> None:
    row = methods.compare(ours, [0.8] * len(ours))
    assert (row["difference"], row["verdict"]) == (interval, verdict)
