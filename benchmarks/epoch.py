"""An epoch of a 32x32 RGB recipe, compared with the same recipe written with lightly and Lightning.

``python -m benchmarks.epoch [--epochs 60] [--seeds 3] [--cores 1]`` trains SimCLR with the small convnet, alternating
between ``sslreg.train`` and the code in lightly's documentation for a folder of images. It compares the processor time
per epoch, and the accuracy of a linear probe and kNN on the features of held-out images.

The images are scikit-learn's digits, which need no download, enlarged to 32x32 and drawn in blue ink on yellow paper,
in varying shades. They are PNGs in one folder per class, 1,348 for training and 449 for testing.

Both sides have the same files, backbone (the class `ConvNet` of sslreg), layers of the head, distribution of views
(lightly's for small images: crop, jitter at a strength of 0.5, grayscale, no blur, ImageNet's normalization; no flip,
since digits have a direction), temperature, AdamW, cosine schedule (the same class), batch size, epochs, threads,
workers, and scikit-learn's probe. Lightly's side runs without progress bar, logger and checkpoint, which are costs of
its defaults and not of the recipe; sslreg's side writes its run folder as usual.

The time of an epoch is processor time, workers included, so that other work on the machine counts little. On one core,
or on several busy cores, it equals wall time on an idle machine; wall time is reported too. The first epoch, in which
kernels are loaded, is not counted.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import os
import resource
import statistics
import tempfile
import time
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from PIL import Image
from rich.console import Console
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader

from benchmarks._timing import write_results
from sslreg.runs.folder import RunFolder
from sslreg.spec import parse_spec
from sslreg.training.loop import prepare, start_run
from sslreg_backbones.convnet import ConvNet
from sslreg_optimizers.cosine import CosineWithWarmup

BATCH, HIDDEN, WIDTH, TEMPERATURE, RATE, DECAY = 64, 256, 128, 0.5, 2e-3, 1e-4
SMALLEST_CROP = 0.3
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

SPEC = """
version: 1
name: epoch
seed: {seed}
data:
  train: {{use: image_folder, root: {root}}}
  batch_size: {batch}
  workers: {workers}
views:
  - repeat: 2
    augment:
      - {{use: random_resized_crop, size: 32, scale: [{smallest}, 1.0]}}
      - {{use: color_jitter, p: 0.8, brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1}}
      - {{use: grayscale, p: 0.2}}
      - {{use: normalize, stats: imagenet}}
model: {{use: simclr, backbone: {{use: convnet}}, projection: [{hidden}, {width}]}}
loss: {{use: nt_xent, temperature: {temperature}}}
optimizer: {{use: adamw, lr: {rate}, weight_decay: {decay}}}
schedule: {{use: cosine}}
trainer: {{max_epochs: {epochs}, accelerator: cpu, devices: 1}}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=60, help="epochs of each training; with fewer, results vary more")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each side")
    parser.add_argument("--cores", type=int, default=1, help="threads; if more than one, also the number of workers")
    options = parser.parse_args()
    workers = options.cores if options.cores > 1 else 0
    torch.set_num_threads(options.cores)
    warnings.simplefilter("ignore")
    clocks: dict[str, list[Clock]] = {"sslreg": [], "lightly": []}
    accuracy: dict[str, list[dict[str, float]]] = {"sslreg": [], "lightly": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_digits(folder)
        for seed in range(options.seeds):
            for side, train in (("sslreg", train_sslreg), ("lightly", train_lightly)):
                clock = Clock()
                backbone = train(folder, seed, options.epochs, workers, clock)
                clocks[side].append(clock)
                accuracy[side].append(probe(backbone, folder))
                print(f"seed {seed}, {side:8}", {key: round(value, 4) for key, value in accuracy[side][-1].items()})
    settings = {
        "epochs": options.epochs,
        "seeds": options.seeds,
        "batch": BATCH,
        "cores": options.cores,
        "workers": workers,
    }
    write_results("epoch", {**settings, "load": os.getloadavg()[0], **report(clocks, accuracy)})


class Clock(Callback):
    """Processor and wall time of every epoch but the first, from one start to the next."""

    def __init__(self) -> None:
        self._marks: list[tuple[float, float]] = []

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self._marks.append((processor_seconds(), time.perf_counter()))

    def seconds(self, which: int) -> list[float]:
        """Return the processor times (0) or the wall times (1)."""
        marks = [mark[which] for mark in self._marks[1:]]
        return [after - before for before, after in pairwise(marks)]


def processor_seconds() -> float:
    """Return the processor time of this process and its workers, running and ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (
        time.process_time()
        + ended.ru_utime
        + ended.ru_stime
        + sum(map(_processor_seconds_of, multiprocessing.active_children()))
    )


def _processor_seconds_of(process: Any) -> float:
    user, system = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def report(clocks: dict[str, list[Clock]], accuracy: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    results: dict[str, Any] = {}
    for side in clocks:
        taken = [[second for clock in clocks[side] for second in clock.seconds(which)] for which in (0, 1)]
        results[side] = {
            "processor_seconds_an_epoch": {"best": min(taken[0]), "median": statistics.median(taken[0])},
            "clock_seconds_an_epoch": {"best": min(taken[1]), "median": statistics.median(taken[1])},
            "accuracy": {
                figure: {
                    "mean": statistics.mean(found[figure] for found in accuracy[side]),
                    "each": [found[figure] for found in accuracy[side]],
                }
                for figure in accuracy[side][0]
            },
        }
        print(side, results[side])
    for time_of in ("processor", "clock"):
        medians = [results[side][f"{time_of}_seconds_an_epoch"]["median"] for side in ("lightly", "sslreg")]
        results[f"lightly_over_sslreg_{time_of}"] = medians[0] / medians[1]
        print(f"an epoch of lightly's takes {medians[0] / medians[1]:.2f} of sslreg's ({time_of})")
    return results


# The two sides


def train_sslreg(folder: Path, seed: int, epochs: int, workers: int, clock: Callback) -> nn.Module:
    text = SPEC.format(
        seed=seed,
        root=folder / "train",
        batch=BATCH,
        workers=workers,
        smallest=SMALLEST_CROP,
        hidden=HIDDEN,
        width=WIDTH,
        temperature=TEMPERATURE,
        rate=RATE,
        decay=DECAY,
        epochs=epochs,
    )
    spec = parse_spec(text, "epoch.yaml")
    setup = prepare(spec, RunFolder(folder / f"run-{seed}"), Console(file=io.StringIO()))
    setup.trainer.callbacks.append(clock)  # type: ignore[attr-defined]
    start_run(setup)
    return setup.pipeline.model.backbone.eval()


def train_lightly(folder: Path, seed: int, epochs: int, workers: int, clock: Callback) -> nn.Module:
    from lightly.data import LightlyDataset
    from lightly.transforms import SimCLRTransform

    lightning.seed_everything(seed, verbose=False)
    transform = SimCLRTransform(input_size=32, cj_strength=0.5, min_scale=SMALLEST_CROP, gaussian_blur=0.0, hf_prob=0.0)
    loader = DataLoader(
        LightlyDataset(str(folder / "train"), transform=transform),
        batch_size=BATCH,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    model = LightlySimCLR(len(loader), epochs)
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[clock],
    )
    trainer.fit(model, loader)
    return model.backbone.eval()


class LightlySimCLR(lightning.LightningModule):
    """SimCLR as in lightly's documentation, with this recipe's backbone, optimizer and schedule."""

    def __init__(self, steps_per_epoch: int, epochs: int) -> None:
        super().__init__()
        from lightly.loss import NTXentLoss
        from lightly.models.modules import SimCLRProjectionHead

        self.backbone = ConvNet(in_channels=3)
        self.projection_head = SimCLRProjectionHead(self.backbone.num_features, HIDDEN, WIDTH)
        self.criterion = NTXentLoss(temperature=TEMPERATURE)
        self.steps_per_epoch, self.epochs = steps_per_epoch, epochs

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        x0, x1 = batch[0]
        z0 = self.projection_head(self.backbone(x0))
        z1 = self.projection_head(self.backbone(x1))
        loss: torch.Tensor = self.criterion(z0, z1)
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=RATE, weight_decay=DECAY)
        schedule = CosineWithWarmup(optimizer, self.epochs * self.steps_per_epoch, self.steps_per_epoch)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


# The images, and the accuracy of their features


def write_digits(folder: Path) -> None:
    """Write ``train/CLASS/NUMBER.png`` and ``test/…``: blue ink on yellow paper, each digit in other shades."""
    digits, random = load_digits(), np.random.default_rng(0)
    order = random.permutation(len(digits.target))
    for place, number in enumerate(order):
        split = "test" if place >= len(order) - len(order) // 4 else "train"
        gray = Image.fromarray(np.rint(digits.images[number] * (255 / 16)).astype(np.uint8))
        cover = np.asarray(gray.resize((32, 32), Image.Resampling.BICUBIC), dtype=np.float64)[..., None] / 255
        ink, paper = (np.array(color) + random.uniform(-30, 30, 3) for color in ((50, 60, 140), (220, 210, 160)))
        path = folder / split / str(digits.target[number]) / f"{number:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.rint(ink * cover + paper * (1 - cover)).astype(np.uint8)).save(path)


def probe(backbone: nn.Module, folder: Path) -> dict[str, float]:
    """Return the accuracy of classifiers on the test images, fitted to the features of the training images."""
    (known, labels), (asked, truth) = (features(backbone, folder / split) for split in ("train", "test"))
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    neighbors = KNeighborsClassifier(20, weights="distance", metric="cosine")
    return {
        "linear": float(linear.fit(known, labels).score(asked, truth)),
        "knn": float(neighbors.fit(known, labels).score(asked, truth)),
    }


def features(backbone: nn.Module, folder: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    paths = sorted(folder.glob("*/*.png"))
    pixels = torch.from_numpy(np.stack([np.asarray(Image.open(path)) for path in paths])).permute(0, 3, 1, 2) / 255
    images = (pixels - torch.tensor(MEAN)[:, None, None]) / torch.tensor(DEVIATION)[:, None, None]
    with torch.inference_mode():
        found = torch.cat([backbone(batch) for batch in images.split(256)])
    return found.numpy(), np.array([int(path.parent.name) for path in paths])


if __name__ == "__main__":
    main()
