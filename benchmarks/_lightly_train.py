"""The distillation of lightly-train with the same teacher, student, images and number of epochs.

lightly-train's default method compares the similarities of images to a queue and those of patches within an image. Its
optimizer, schedule, batch size and mixing of images are its defaults. Of its augmentations, those that fit digits are
kept: a rotation, here of up to 15 degrees, and crops of at least half of the image.

It is not among the requirements of the benchmarks, because it requires other versions of some packages. Install it
apart: ``pip install --target FOLDER --no-deps lightly-train …``, and add the folder to PYTHONPATH.
"""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightly_train
import torch
from torch import Tensor, nn

import sslreg
from benchmarks._mnist import TRAIN, load_digits
from sslreg import Embeddings
from sslreg_backbones.convnet import ConvNet

BATCH_SIZE = 128
#: The number of images per step for which lightly-train states learning rates, which it scales by the square root.
STATED_BATCH_SIZE = 1536
EVALUATORS = (("few_shot", {}), ("knn", {"k": 20}))
TRANSFORMS = {
    "image_size": (28, 28),
    "random_resize": {"min_scale": 0.5},
    "random_rotation": {"prob": 1.0, "degrees": 15},
    "random_flip": None,
    "color_jitter": None,
    "random_gray_scale": None,
    "gaussian_blur": None,
    "normalize": {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)},
}


class WrappedConvNet(nn.Module):
    """A convnet for gray images with the methods that lightly-train requires of custom models."""

    def __init__(self, backbone: ConvNet) -> None:
        super().__init__()
        self.backbone = backbone

    def forward_features(self, images: Tensor) -> dict[str, Tensor]:
        return {"features": self.backbone.body(images[:, :1])}

    def forward_pool(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"pooled_features": features["features"].mean(dim=(2, 3), keepdim=True)}

    def feature_dim(self) -> int:
        return self.backbone.num_features

    def get_model(self) -> nn.Module:
        return self.backbone


def distill(folder: Path, teacher: Path, images: Path, seed: int, epochs: int, rate: float | None) -> dict[str, Any]:
    """Train a student unless it has been trained; return its figures and seconds as `benchmarks.digits.train` does.

    Args:
        folder: The folder of the runs.
        teacher: The folder of the teacher's run.
        images: The folder of the images.
        seed: The seed of the run.
        epochs: The number of epochs.
        rate: The learning rate for a batch; by default, that of lightly-train.
    """
    record = folder / f"{seed}.json"
    if not record.exists():
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        student = ConvNet(in_channels=1, width=8)
        network = ConvNet(in_channels=1, width=24, weights=str(teacher))
        baseline = {"raw_pixels": evaluate(nn.Flatten()), "untrained": evaluate(student)}
        start = time.process_time()
        lightly_train.pretrain(
            out=folder / str(seed),
            data=images,
            batch_size=BATCH_SIZE,
            optim_args=None if rate is None else {"lr": rate / math.sqrt(BATCH_SIZE / STATED_BATCH_SIZE)},
            model=WrappedConvNet(student),
            method="distillation",
            method_args={"teacher": WrappedConvNet(network)},
            transform_args=TRANSFORMS,
            epochs=epochs,
            seed=seed,
            accelerator="cpu",
            devices=1,
            num_workers=0,
            overwrite=True,
        )
        seconds = time.process_time() - start
        summary = {"baseline": baseline, "final": evaluate(student)}
        record.write_text(json.dumps({"seconds": seconds, "summary": summary}), encoding="utf-8")
    loaded: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
    return loaded


@torch.no_grad()
def evaluate(network: nn.Module) -> dict[str, float]:
    """Return the figures of a network by the evaluators of `digits-distillation`."""
    pixels, classes = load_digits()
    images = torch.from_numpy(pixels).unsqueeze(1).float() / 255
    was_training = network.training
    features = torch.cat([network.eval()(batch) for batch in images.split(500)])
    network.train(was_training)
    parts = []
    for part in (slice(TRAIN), slice(TRAIN, None)):
        numbers = torch.arange(len(features[part]))
        parts.append(
            Embeddings(features[part], torch.from_numpy(classes[part]), numbers, [str(number) for number in numbers])
        )
    on_cpu: Any = SimpleNamespace(device=torch.device("cpu"))
    figures: dict[str, float] = {}
    for name, parameters in EVALUATORS:
        values = sslreg.build("evaluator", name, **parameters).evaluate(*parts, on_cpu)
        figures |= {f"{name}_{metric}": float(value) for metric, value in values.items()}
    return figures
