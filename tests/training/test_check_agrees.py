"""What `check` accepts, `train` accepts: generated specs of the smallest runs."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

import sslreg
from sslreg.assembly import try_spec
from sslreg.errors import UserError
from sslreg.spec import parse_spec

#: The number of generated specs.
COUNT = int(os.environ.get("SSLREG_AGREEMENTS", "200"))

#: Overrides from which specs are generated; some make a spec wrong, alone or together with others.
CHANGES = [
    *(f"data.batch_size={size}" for size in (1, 2, 3, 64)),
    *(f"views.0.repeat={count}" for count in (1, 3)),
    *(f"views.0.augment.0.size={size}" for size in (1, 2, 7, "[8, 4]")),
    *(f"views.0.augment.0.scale={scale}" for scale in ("[1.0, 0.4]", "[0, 1]", "[0.5, 2]", "[1, 1]")),
    "views.0.augment.0={use: center_crop, size: 8}",
    "views.0.augment.0={use: resize, size: [8, 8]}",
    "views.0.augment.1={use: normalize}",
    "views.0.augment.1={use: normalize, stats: imagenet}",
    "views.0.augment.1={use: normalize, stats: half}",
    "views.0.augment.1={use: normalize, mean: 0.5, std: 0}",
    "views.0.augment.1={use: normalize, mean: [0.1, 0.2], std: [1]}",
    "views.0.augment.1={use: gaussian_blur, sigma: [2, 1]}",
    "views.0.augment.1={use: color_jitter, hue: 0.1, saturation: 0.3}",
    "views.0.augment.1={use: one_of, augment: []}",
    "embed_view=[]",
    "embed_view=[{use: resize, size: 3}]",
    "data.channels=3",
    "data.test=null",
    *(f"model.projection={widths}" for widths in ("[]", "[1]", "[9999999999999]", "[4, 0]")),
    *(f"model.backbone.depth={depth}" for depth in (1, 5, 60)),
    "model={use: moco, backbone: {use: convnet, width: 2, depth: 2}, projection: [4]}",
    "model={use: moco, backbone: {use: convnet, width: 2, depth: 2}, projection: [4], bn_splits: 3}",
    "loss={use: sup_con}",
    "loss={use: dcl, negatives: bank}",
    *(f"loss.temperature={value}" for value in (0, 1.0e-9, 0.01)),
    "loss.memory_bank={use: fifo, size: 3}",
    "loss.memory_bank={use: fifo, size: 3, dim: 7}",
    "optimizer={use: adamw, betas: [0.9, 2.0]}",
    "optimizer={use: sgd, lr: 0.1, nesterov: true}",
    "optimizer={use: lars, lr: 0.1}",
    "schedule={use: cosine, warmup_epochs: 2}",
    "schedule={use: cosine, warmup_epochs: 0.5}",
    "schedule=null",
    *(f"trainer.accelerator={name}" for name in ("tpu", "nonsense", "auto", "gpu")),
    *(f"trainer.devices={devices}" for devices in (0, 1, "'1'", "auto", "[]", "nope")),
    *(f"trainer.strategy={name}" for name in ("nonsense", "fsdp", "single_device")),
    *(f"trainer.precision={name}" for name in ("16-mixed", "bf16-mixed", "64-true", "bf16-true", "transformer-engine")),
    *(f"trainer.max_epochs={count}" for count in (-5, 0, 1, "null")),
    *(f"trainer.limit_train_batches={limit}" for limit in (-1, 0, 1.5)),
    "trainer.accumulate_grad_batches=0",
    "trainer.gradient_clip_val=0.1",
    "trainer.gradient_clip_algorithm=nonsense",
    *(f"checkpoint.best={name}" for name in ("nope", "neighbors_top1", "neighbors_nope")),
    *(f"engine.{option}" for option in ("ema=0.9", "channels_last=true", "on_nan=skip")),
    "evaluate=[]",
    "evaluate=[{use: few_shot, shots: [0]}]",
    "loggers=[{use: csv}]",
]


def generate(number: int) -> list[str]:
    """Return the overrides of a spec; the last of those that set the same key counts."""
    generator = random.Random(number)
    chosen = generator.sample(CHANGES, generator.choice((1, 1, 2, 3)))
    return ["trainer.max_epochs=1", "trainer.limit_train_batches=2", *chosen]


@pytest.mark.slow
def test_training_accepts_what_check_accepts(tiny_spec: str, tmp_path: Path) -> None:
    outcomes = {"refused": 0, "trained": 0}
    for number in range(COUNT):
        overrides = generate(number)
        try:
            spec = parse_spec(tiny_spec, "tiny.yaml", overrides)
            try_spec(spec)
        except UserError:
            outcomes["refused"] += 1
            continue
        try:
            sslreg.train(spec, tmp_path / str(number))
        except Exception as error:  # noqa: BLE001 - any exception is a disagreement
            pytest.fail(f"check accepts {overrides}, and training raises {type(error).__name__}: {error}")
        outcomes["trained"] += 1
    assert min(outcomes.values()) > COUNT / 5
