"""An invariance profile shows the effect of training: the same network with and without rotated views."""

from __future__ import annotations

from pathlib import Path

import pytest

import sslreg
from sslreg.spec import parse_spec

AUGMENT = "[{use: resize, size: 16}, {use: affine, degrees: DEGREES, translate: [0.1, 0.1], interpolation: bilinear}]"


@pytest.mark.slow
@pytest.mark.independent
def test_training_on_rotated_views_makes_features_overlook_rotation(tiny_spec: str, tmp_path: Path) -> None:
    moves = {}
    for degrees in (0, 180):
        overrides = [
            f"views=[{{repeat: 2, augment: {AUGMENT.replace('DEGREES', str(degrees))}}}]",
            "evaluate=[{use: invariance, samples: 128}]",
            "data.batch_size=128",
            "model={use: simclr, backbone: {use: convnet}, projection: [256, 128]}",
            "optimizer={use: adamw, lr: 2.0e-3}",
            "trainer.max_epochs=4",
        ]
        run = sslreg.train(parse_spec(tiny_spec, "tiny.yaml", overrides), tmp_path / str(degrees))
        moves[degrees] = run.summary["final"]
    for name in ("invariance_affine_rotation", "invariance_rotate90"):
        without, with_ = (moves[degrees] for degrees in (0, 180))
        assert with_[name] + with_[f"{name}_ci"] < without[name] - without[f"{name}_ci"]
