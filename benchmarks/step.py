"""The cost of the engine: a training step of a run, compared with the same step in a loop written by hand.

``python -m benchmarks.step [--steps 60] [--device cpu]`` trains SimCLR with a ResNet-18 on 64x64 images in batches of
64. Both sides have the same samples and decoding, collate function, model and loss (each built from the same spec), SGD
with momentum, the cosine schedule, and one process without workers. The run has everything that ``sslreg train`` gives
it on a terminal: Lightning, metrics, throughput, skipped samples, checkpoints, and a progress bar that is drawn.

The sides alternate step by step in one process, so that a busy moment affects both: a callback of the run takes a step
of the other loop, and the time between two calls of the callback is a whole cycle of the run. Times are processor
times of the process, with one thread of torch, so that other work on the machine counts little. Other threads draw the
progress bar; what they use during a step of the hand-written loop counts for the run alone, to its disadvantage. The
bar is drawn at fixed times: on a loaded machine, where a step takes several times its processor time, it costs a step
proportionally more.

On a GPU, times are wall-clock times until the GPU is done with the step. Both sides make the views on the host.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from PIL import Image
from rich.console import Console
from sklearn.datasets import load_sample_images
from torch.utils.data import DataLoader

import sslreg
from benchmarks._timing import write_results
from sslreg.assembly import Pipeline, assemble
from sslreg.contracts import Batch
from sslreg.runs.folder import RunFolder
from sslreg.spec import parse_spec
from sslreg.training.lightning_trainer import quiet_lightning
from sslreg.training.loop import prepare, start_run

BATCH, IMAGES = 64, 1024

SPEC = """
version: 1
name: step
data:
  train: {{use: image_folder, root: {root}}}
  batch_size: {batch}
views:
  - repeat: 2
    augment:
      - {{use: random_resized_crop, size: 64, scale: [0.08, 1.0]}}
      - {{use: horizontal_flip, p: 0.5}}
      - {{use: color_jitter, p: 0.8, brightness: 0.8, contrast: 0.8, saturation: 0.8, hue: 0.2}}
      - {{use: grayscale, p: 0.2}}
      - {{use: gaussian_blur, p: 0.5, sigma: [0.1, 2.0]}}
      - {{use: normalize, stats: imagenet}}
model: {{use: simclr, backbone: {{use: resnet18}}, projection: [512, 128]}}
loss: {{use: nt_xent, temperature: 0.5}}
optimizer: {{use: sgd, lr: 0.06, momentum: 0.9, weight_decay: 5.0e-4}}
schedule: {{use: cosine}}
trainer: {{max_steps: {steps}, max_epochs: {epochs}, accelerator: {accelerator}, devices: 1}}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=60, help="steps to measure, after two that are not measured")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where to train")
    asked = parser.parse_args()
    steps, accelerator = asked.steps, {"cpu": "cpu", "cuda": "gpu"}[asked.device]
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        images = Path(name) / "images"
        write_images(images)
        text = SPEC.format(root=images, batch=BATCH, steps=steps + 3, epochs=steps, accelerator=accelerator)
        seconds = measure(sslreg_spec(text), Path(name) / "run", asked.device)
    results = report(seconds)
    about = {"batch": BATCH, "size": 64, "steps": steps, "load": os.getloadavg()[0]}
    write_results("step", about | results, device=asked.device)


def sslreg_spec(text: str) -> sslreg.Spec:
    return parse_spec(text, "step.yaml")


class AlternateSteps(Callback):
    """A callback that takes a step of another loop after each step of the run, and times both."""

    def __init__(self, other: Iterator[None], device: str) -> None:
        self.other = other
        self.device = device
        self.seconds: dict[str, list[float]] = {"sslreg": [], "by hand": []}
        self._since: float | None = None

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        of_process, of_thread = time.process_time, time.thread_time
        if self.device == "cuda":
            of_process = of_thread = self._wait
        if self._since is not None:
            self.seconds["sslreg"].append(of_process() - self._since)
        start = of_thread()
        next(self.other)
        self.seconds["by hand"].append(of_thread() - start)
        self._since = of_process()

    @staticmethod
    def _wait() -> float:
        """Return the time when the GPU is done."""
        torch.cuda.synchronize()
        return time.perf_counter()


def train_by_hand(pipeline: Pipeline, device: str) -> Iterator[None]:
    """Train in a hand-written loop; yield after every step."""
    samples, spec = pipeline.train, pipeline.spec
    loader = DataLoader(samples, BATCH, shuffle=True, drop_last=True, collate_fn=sslreg.build_collate(spec))  # type: ignore[arg-type]
    model, loss = pipeline.model.to(device), pipeline.loss.to(device)
    optimizer = pipeline.build_optimizer()
    (schedule,) = pipeline.build_schedules(optimizer)
    model.train()
    while True:
        for batch in loader:
            assert isinstance(batch, Batch)
            optimizer.zero_grad()
            output = model.training_step(batch.to(device, non_blocking=True), loss)
            output.loss.backward()
            optimizer.step()
            schedule.step()
            yield


def measure(spec: sslreg.Spec, folder: Path, device: str) -> dict[str, list[float]]:
    """Return the seconds of every step but the first two of each side."""
    console = Console(file=io.StringIO(), force_terminal=True)
    alternate = AlternateSteps(train_by_hand(assemble(spec), device), device)
    with quiet_lightning():
        setup = prepare(spec, RunFolder(folder), console)
        setup.trainer.callbacks.append(alternate)  # type: ignore[attr-defined]
        start_run(setup)
    return {name: taken[2:] for name, taken in alternate.seconds.items()}


def report(seconds: dict[str, list[float]]) -> dict[str, Any]:
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    pairs = [ours / theirs for ours, theirs in zip(seconds["sslreg"], seconds["by hand"][1:], strict=False)]
    for name, taken in medians.items():
        print(f"{name:10} median {taken * 1e3:8.1f} ms a step, best {min(seconds[name]) * 1e3:8.1f} ms")
    ratio = medians["sslreg"] / medians["by hand"]
    print(
        f"a step of a run takes {ratio - 1:+.1%} of that by hand (median of pairs: {statistics.median(pairs) - 1:+.1%})"
    )
    return {
        "seconds": {name: {"best": min(seconds[name]), "median": taken} for name, taken in medians.items()},
        "overhead": ratio - 1,
        "overhead_of_pairs": statistics.median(pairs) - 1,
    }


def write_images(folder: Path) -> None:
    """Write 96x96 crops of scikit-learn's two photographs as JPEGs."""
    photos, random = load_sample_images().images, np.random.default_rng(0)
    folder.mkdir()
    for number in range(IMAGES):
        photo = photos[number % 2]
        top, left = (int(random.integers(0, side - 96)) for side in photo.shape[:2])
        Image.fromarray(photo[top : top + 96, left : left + 96]).save(folder / f"{number:04}.jpg", quality=92)


if __name__ == "__main__":
    main()
