"""Continuing from weights next to training from scratch, and the guard against forgetting, on digits of MNIST.

``python -m benchmarks.continuation [--seeds 3] [--runs FOLDER]`` trains SimCLR on the digits 0 to 4, and then on all
digits: from these weights, and from random ones for as many epochs with the learning rate of the recipe. A third
training continues with a learning rate that is far too high, guarded by the digits 0 to 4. Finished runs in the folder
are not repeated, so the benchmark continues after an interruption.

The digits are those of `benchmarks.mnist`: 4,000 to train on and 1,000 for tests. Accuracies are means over the seeds,
with the lowest and the highest. The figures of the guard are those of the digits 0 to 4 alone: before training, when
the guard stopped it, and of the weights that were kept.
"""

from __future__ import annotations

import csv
import json
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks._mnist import TRAIN, load_digits, write_images
from benchmarks._timing import write_results
from benchmarks.digits import parse_options, train

#: The digits of the first training.
FIRST = 5

#: Epochs of the first training and of each other one.
PRETRAINING, CONTINUATION = 20, 3

#: The recipe for digits has a rate of 2e-3. Continuing changes weights less; the last rate is to ruin them.
RATE, RUINOUS = "optimizer.lr=5.0e-4", "optimizer.lr=1.0"

#: The evaluators: the second one learns from a label of each class.
EVALUATE = "evaluate=[{use: knn, k: 20}, {use: few_shot}, {use: linear}]"


def main() -> None:
    options = parse_options(__doc__, "continuation", ["simclr"], ["simclr"])
    folders = write_digits(options.runs / "images")
    runs = [train_all(seed, options.runs, folders) for seed in range(options.seeds)]
    results = {
        "seeds": options.seeds,
        "epochs": {"on the digits 0 to 4": PRETRAINING, "on all digits": CONTINUATION},
        **{metric: summarize(runs, metric) for metric in ("knn_top1", "few_shot_1", "linear_top1")},
        "guard": summarize_guard(runs),
    }
    print(json.dumps(results, indent=2))
    write_results("continuation", results, per_vendor=False)


def write_digits(folder: Path) -> dict[str, Path]:
    """Write the images unless they are there; return the folders of all digits and of the first ones."""
    folders = {name: folder / name for name in ("train", "test", "first-train", "first-test")}
    if not folders["first-test"].exists():
        images, classes = load_digits()
        for prefix, chosen in (("", classes >= 0), ("first-", classes < FIRST)):
            for part, rows in (("train", slice(None, TRAIN)), ("test", slice(TRAIN, None))):
                own = chosen[rows]
                write_images(folders[prefix + part], images[rows][own], classes[rows][own])
    return {name: path.absolute() for name, path in folders.items()}


def train_all(seed: int, runs: Path, folders: dict[str, Path]) -> dict[str, Any]:
    """Train with a seed; return the summary of each training, and the rows of metrics of the guarded one."""

    def run(name: str, data: str, epochs: int, *changes: str) -> dict[str, Any]:
        common = [
            f"data.train={as_entry(folders[data + 'train'])}",
            f"data.test={as_entry(folders['test'])}",
            f"data.reference={as_entry(folders['train'])}",
            "views.0.augment.0.size=28",
            f"trainer.max_epochs={epochs}",
            "schedule={use: cosine, warmup_epochs: 1}",
            EVALUATE,
        ]
        return train("simclr", seed, runs / name, [*common, *changes])["summary"]  # type: ignore[no-any-return]

    weights = f"model.backbone.weights={runs.absolute() / 'first' / f'simclr-{seed}'}"
    summaries = {
        "first": run("first", "first-", PRETRAINING),
        "scratch": run("scratch", "", CONTINUATION),
        "continued": run("continued", "", CONTINUATION, weights, RATE),
        "guarded": run("guarded", "", CONTINUATION, weights, RUINOUS, *guard(folders)),
    }
    return summaries | {"rows": read_rows(runs / "guarded" / f"simclr-{seed}" / "metrics.csv")}


def guard(folders: dict[str, Path]) -> Sequence[str]:
    return (
        f"guard.reference={as_entry(folders['first-train'])}",
        f"guard.test={as_entry(folders['first-test'])}",
        "guard.evaluator={use: knn, k: 20}",
    )


def as_entry(folder: Path) -> str:
    return f"{{use: image_folder, root: {folder}}}"


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def summarize(runs: Sequence[dict[str, Any]], metric: str) -> dict[str, dict[str, float]]:
    """Return a metric of raw pixels, of the untrained network and of each training, all of all digits."""
    figures: dict[str, Callable[[dict[str, Any]], float]] = {
        "raw pixels": lambda run: run["scratch"]["baseline"]["raw_pixels"][metric],
        "untrained": lambda run: run["scratch"]["baseline"]["untrained"][metric],
        "trained on 0 to 4": lambda run: run["first"]["final"][metric],
        "from scratch": lambda run: run["scratch"]["final"][metric],
        "continued": lambda run: run["continued"]["final"][metric],
    }
    return {name: spread([figure(run) for run in runs]) for name, figure in figures.items()}


def summarize_guard(runs: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return the accuracy of the digits 0 to 4 before the guarded training, when it was stopped, and as kept."""
    kept = [
        float(row["guard_knn_top1"])
        for run in runs
        for row in run["rows"]
        if row.get("guard_knn_top1") and int(row["step"]) == run["guarded"]["guard"]["kept_step"]
    ]
    assert all(run["guarded"]["guard"]["stopped_at"] is not None for run in runs), "a guard has not stopped"
    return {
        "before training": spread([run["guarded"]["guard"]["start"] for run in runs]),
        "when stopped": spread([run["guarded"]["guard"]["latest"] for run in runs]),
        "kept": spread(kept),
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    return {"mean": statistics.mean(values), "lowest": min(values), "highest": max(values)}


if __name__ == "__main__":
    main()
