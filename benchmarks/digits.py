"""The accuracy of each method on handwritten digits, next to raw pixels and to the untrained network.

``python -m benchmarks.digits [--methods simclr byol] [--seeds 3] [--runs FOLDER]`` trains each ``digits-METHOD`` spec
with several seeds, one after the other, as `sslreg train` does. Finished runs in the folder are not repeated, so the
benchmark continues after an interruption.

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
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks._timing import write_results
from sslreg.spec import shipped_specs

PREFIX = "digits-"

#: The changes of a method's spec, each as ``KEY=VALUE``.
Changes = Callable[[str], Sequence[str]]


def main() -> None:
    methods = list_methods()
    options = parse_options(__doc__, "digits", methods, methods)
    measure("digits", options, lambda method: train_teacher(options.runs) if method == "distillation" else ())


def train_teacher(runs: Path) -> list[str]:
    """Train the teacher of `digits-distillation` unless it has been trained; return the change that names it."""
    train("simclr", 0, runs)
    return [f"model.teacher.weights={(runs / 'simclr-0').absolute()}"]


def list_methods() -> list[str]:
    """Return the methods that have a spec for the digits."""
    return [name.removeprefix(PREFIX) for name in shipped_specs() if name.startswith(PREFIX)]


def parse_options(
    description: str | None, name: str, methods: Sequence[str], default: Sequence[str]
) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", choices=methods, default=default, help="the methods to train")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each method")
    parser.add_argument("--runs", type=Path, default=Path("runs", name), help="the folder of the runs")
    return parser.parse_args()


def measure(name: str, options: argparse.Namespace, changes: Changes) -> None:
    """Train the methods with several seeds, and write the results of the benchmark."""
    runs = {
        method: [train(method, seed, options.runs, changes(method)) for seed in range(options.seeds)]
        for method in options.methods
    }
    seconds = {method: statistics.median(run["seconds"] for run in own) for method, own in runs.items()}
    results: dict[str, Any] = {
        "seeds": options.seeds,
        "minutes of one training of each": round(sum(seconds.values()) / 60, 1),
        **summarize({method: [run["summary"] for run in own] for method, own in runs.items()}),
        "seconds of a training": {method: {"median": round(value, 1)} for method, value in seconds.items()},
    }
    print(json.dumps(results, indent=2))
    write_results(name, results, per_vendor=False)


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
