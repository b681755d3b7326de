"""The invariance profile of networks trained with and without an augmentation.

``python -m benchmarks.invariance [--epochs 6]`` trains SimCLR with the small convnet four times on the CPU: on the
digits with and without rotation by up to 180°, and on a folder of crops of scikit-learn's two photographs with and
without color jitter and grayscale. It prints the profiles of the trained networks, the untrained one and raw pixels.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_sample_images

import sslreg
from benchmarks._timing import write_results
from sslreg.spec import parse_spec

CROPS, SIDE = 800, 64

#: The metrics that show the difference, by data set.
METRICS = {
    "digits": ("affine_rotation", "rotate90", "shape"),
    "photographs": ("color_jitter", "color_jitter_hue", "grayscale", "color"),
}

COMMON = """
version: 1
name: profile
model: {use: simclr, backbone: {use: convnet}, projection: [256, 128]}
loss: {use: nt_xent, temperature: 0.5}
optimizer: {use: adamw, lr: 2.0e-3, weight_decay: 1.0e-4}
schedule: {use: cosine}
evaluate: [{use: invariance}]
"""

DIGITS = """
data: {train: {use: digits, split: train}, test: {use: digits, split: test}, channels: 1, batch_size: 128}
views:
  - repeat: 2
    augment:
      - {use: resize, size: 16}
      - {use: affine, degrees: DEGREES, translate: [0.05, 0.05], scale: [0.8, 1.2], interpolation: bilinear}
"""

PHOTOGRAPHS = """
data: {train: {use: image_folder, root: crops/train}, test: {use: image_folder, root: crops/test}, batch_size: 128}
views:
  - repeat: 2
    augment:
      - {use: random_resized_crop, size: 32, scale: [0.3, 1.0]}
      - {use: horizontal_flip, p: 0.5}
"""

COLOR = """
      - {use: color_jitter, p: 0.8, brightness: 0.8, contrast: 0.8, saturation: 0.8, hue: 0.4}
      - {use: grayscale, p: 0.2}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=6, help="epochs of each training")
    epochs = parser.parse_args().epochs
    with tempfile.TemporaryDirectory() as folder:
        write_crops(Path(folder) / "crops")
        results = {
            "digits": {
                "without rotation": profile(DIGITS.replace("DEGREES", "0"), folder, epochs),
                "with rotation": profile(DIGITS.replace("DEGREES", "180"), folder, epochs),
            },
            "photographs": {
                "without color jitter": profile(PHOTOGRAPHS, folder, epochs),
                "with color jitter": profile(PHOTOGRAPHS.rstrip() + COLOR, folder, epochs),
            },
        }
    content = {data: compare(data, runs) for data, runs in results.items()}
    write_results("invariance", {"epochs": epochs, "crops": CROPS, **content}, per_vendor=False)


def profile(views: str, folder: str, epochs: int) -> dict[str, dict[str, float]]:
    """Train and return the metrics by subject."""
    text = (COMMON + views).replace("root: crops", f"root: {folder}/crops")
    spec = parse_spec(text, "profile.yaml", [f"trainer={{max_epochs: {epochs}, accelerator: cpu}}"])
    run = sslreg.train(spec, out=Path(tempfile.mkdtemp(dir=folder)) / "run")
    return {"trained": run.summary["final"], **run.summary["baseline"]}


def compare(data: str, runs: dict[str, dict[str, dict[str, float]]]) -> dict[str, dict[str, str]]:
    """Print and return the metrics as text: of each trained network, the untrained network and raw pixels."""
    first = next(iter(runs.values()))
    columns = {name: run["trained"] for name, run in runs.items()}
    columns |= {"untrained": first["untrained"], "raw pixels": first["raw_pixels"]}
    rows: dict[str, dict[str, str]] = {}
    for name in (f"invariance_{metric}" for metric in METRICS[data]):
        rows[name] = {title: f"{own[name]:.3f} ± {own[f'{name}_ci']:.3f}" for title, own in columns.items()}
        without, with_ = (own[name] for own in list(columns.values())[:2])
        margin = sum(own[f"{name}_ci"] for own in list(columns.values())[:2])
        rows[name]["intervals"] = "apart" if abs(without - with_) > margin else "overlap"
        print(f"{data}: {name}: " + ", ".join(f"{title} {text}" for title, text in rows[name].items()), flush=True)
    return rows


def write_crops(root: Path) -> None:
    """Write square crops of each photograph as an image folder, three of four for training."""
    generator = np.random.default_rng(0)
    for photograph, name in zip(load_sample_images().images, ("china", "flower"), strict=True):
        height, width, _ = photograph.shape
        for number in range(CROPS // 2):
            top, left = generator.integers(0, height - SIDE), generator.integers(0, width - SIDE)
            split = "test" if number % 4 == 0 else "train"
            (root / split / name).mkdir(parents=True, exist_ok=True)
            crop: Any = photograph[top : top + SIDE, left : left + SIDE]
            Image.fromarray(crop).save(root / split / name / f"{number}.png")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
