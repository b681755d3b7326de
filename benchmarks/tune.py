"""What `sslreg tune` finds where the answer is known.

``python -m benchmarks.tune [--studies FOLDER] [--parallel 1]`` runs three studies, and continues those that have been
interrupted:

* ``bad views``: the digits of scikit-learn, from views with flips and quarter turns and without elastic distortion.
* ``color is the class``: the digits in one of `HUES` colors. Classes are the colors, and the views have color jitter.
* ``color is a nuisance``: the same images. Classes are the digits, and the views have no color jitter.

The commands are the same. Trials are judged by the accuracy from one label per class, on a part of the reference set.
The starting spec and the winner are compared on the test set, with fresh seeds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from benchmarks._timing import write_results

TRIALS = 30

HUES = 6

#: The number of digits to train on; the others are for tests.
TRAIN = 1348

SPEC = """
version: 1
name: {name}
data: {{train: {{{train}}}, test: {{{test}}}, channels: {channels}, batch_size: 128}}
views:
  - repeat: 2
    augment:
      - {{use: resize, size: 16}}
{operations}
model: {{use: simclr, backbone: {{use: convnet}}, projection: [256, 128]}}
loss: {{use: nt_xent}}
optimizer: {{use: adamw, lr: 2.0e-3, weight_decay: 1.0e-4}}
schedule: {{use: cosine, warmup_epochs: 1}}
trainer: {{max_epochs: {epochs}, accelerator: cpu}}
evaluate: [{{use: few_shot, shots: [1]}}]
"""

BAD_VIEWS = """\
      - {use: horizontal_flip, p: 0.5}
      - {use: vertical_flip, p: 0.5}
      - {use: rotate90}
      - use: affine
        degrees: 15
        translate: [0.05, 0.05]
        scale: [0.8, 1.2]
        shear: [-15, 15]
        interpolation: bilinear
      - {use: gaussian_blur, p: 0.5, sigma: [0.1, 1.2]}
      - {use: color_jitter, brightness: 0.4, contrast: 0.4}
"""

COMMON_VIEWS = """\
      - {use: affine, degrees: 15, translate: [0.05, 0.05], scale: [0.8, 1.2], interpolation: bilinear}
      - {use: elastic, alpha: 20, sigma: 3}
"""

COLOR_JITTER = """\
      - {use: color_jitter, brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.5}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=Path, default=Path("studies", "benchmark"), help="the folder of the studies")
    parser.add_argument("--parallel", type=int, default=1, help="trials at the same time")
    options = parser.parse_args()
    root = options.studies.absolute()
    root.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {"trials": TRIALS}
    for title, text in write_specs(root).items():
        name = title.replace(" ", "-")
        file = root / f"{name}.yaml"
        file.write_text(text, encoding="utf-8")
        results[title] = summarize(*tune(file, root / name, options.parallel))
        print(json.dumps(results[title], indent=2), flush=True)
        write_results("tune", results, per_vendor=False)


def write_specs(root: Path) -> dict[str, str]:
    """Write the images, and return the starting specs by the titles of the studies."""
    colors, digits = write_colored_digits(root / "images")
    return {
        "bad views": SPEC.format(
            name="bad-views",
            train="use: digits, split: train",
            test="use: digits, split: test",
            channels=1,
            operations=BAD_VIEWS,
            epochs=8,
        ),
        "color is the class": format_colored("color-is-the-class", colors, COMMON_VIEWS + COLOR_JITTER),
        "color is a nuisance": format_colored("color-is-a-nuisance", digits, COMMON_VIEWS),
    }


def format_colored(name: str, images: Path, operations: str) -> str:
    """Return a spec for the digits in colors."""
    folders = {part: f"use: image_folder, root: {images / part}" for part in ("train", "test")}
    return SPEC.format(name=name, **folders, channels=3, operations=operations, epochs=4)


def write_colored_digits(root: Path) -> tuple[Path, Path]:
    """Write the digits in random colors unless they are there.

    Returns:
        The folder whose classes are the colors, and the one whose classes are the digits.
    """
    folders = root / "colors", root / "digits"
    if not (root / "complete").exists():
        images, classes = load_digits(return_X_y=True)
        generator = np.random.default_rng(0)
        order = generator.permutation(len(images))
        for number, index in enumerate(order):
            color = int(generator.integers(HUES))
            # Within a class, hues differ by up to a fifth of the distance between classes.
            hue = int(255 * (color + generator.uniform(-0.1, 0.1)) / HUES) % 256
            value = np.clip(images[index].reshape(8, 8) * 16, 0, 255).astype(np.uint8)
            planes = np.stack([np.full_like(value, hue), np.full_like(value, 230), value], axis=-1)
            painted = Image.fromarray(planes, mode="HSV").convert("RGB")
            part = "train" if number < TRAIN else "test"
            for folder, label in zip(folders, (color, classes[index]), strict=True):
                path = folder / part / str(label) / f"{number:04}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                painted.save(path)
        (root / "complete").touch()
    return folders


def tune(spec: Path, study: Path, parallel: int) -> tuple[dict[str, Any], float]:
    """Run or continue a study; return its results and the minutes that this took."""
    start = time.monotonic()
    command = [sys.executable, "-m", "sslreg", "tune", spec, "--by", "few_shot_1", "--views", "--trials", str(TRIALS)]
    subprocess.run(
        [*command, "--parallel", str(parallel), "--out", study],
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    results: dict[str, Any] = json.loads((study / "results.json").read_text(encoding="utf-8"))
    return results, (time.monotonic() - start) / 60


def summarize(results: dict[str, Any], minutes: float) -> dict[str, Any]:
    """Return the final comparison, the change, and the effects of operations whose intervals exclude zero."""
    effects = {
        effect["name"]: {key: round(effect["estimate"][key], 3) for key in ("value", "low", "high")}
        for effect in results["effects"]
        if effect["estimate"] is not None
    }
    verdicts = {effect["name"]: effect["verdict"] for effect in results["effects"]}
    return {
        "minutes": round(minutes, 1),
        "trials": results["counts"],
        "result": results["sentence"],
        "difference on the test set": results["final"] and results["final"]["difference"],
        "winner": results["best"] and results["best"]["change"],
        "helps": {name: effect for name, effect in effects.items() if verdicts[name] == "helps"},
        "harms": {name: effect for name, effect in effects.items() if verdicts[name] == "harms"},
        "unclear": {name: effect for name, effect in effects.items() if verdicts[name] == "unclear"},
    }


if __name__ == "__main__":
    main()
