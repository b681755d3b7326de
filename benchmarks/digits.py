"""The accuracy of each method on handwritten digits, next to raw pixels and to the untrained network.

``python -m benchmarks.digits [--methods simclr byol] [--seeds 3] [--runs FOLDER]`` trains each ``digits-METHOD`` spec
with several seeds, one after the other, as `sslreg train` does. Finished runs in the folder are not repeated, so the
benchmark continues after an interruption.

The results hold, for each metric of the spec's evaluators, the mean over the seeds and the lowest and highest value.
The seconds of a training include the start of Python, the evaluations and the baselines.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks._timing import write_results
from sslreg.spec import shipped_specs

PREFIX = "digits-"


def main() -> None:
    methods = [name.removeprefix(PREFIX) for name in shipped_specs() if name.startswith(PREFIX)]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", choices=methods, default=methods, help="the methods to train")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each method")
    parser.add_argument("--runs", type=Path, default=Path("runs/digits"), help="the folder of the runs")
    options = parser.parse_args()
    rows = {}
    for method in options.methods:
        runs = [train(method, seed, options.runs) for seed in range(options.seeds)]
        rows[method] = summarize(runs)
        print(f"{method:14}" + "  ".join(f"{name} {value}" for name, value in rows[method].items()), flush=True)
    minutes = sum(row["seconds"] for row in rows.values()) / 60
    print(f"one training of each method: {minutes:.1f} minutes")
    write_results("digits", {"seeds": options.seeds, "minutes of one seed": round(minutes, 1), "methods": rows})


def train(method: str, seed: int, runs: Path) -> dict[str, Any]:
    """Train a method unless it has been trained; return the summary of the run and the seconds that it took."""
    folder = runs / f"{method}-{seed}"
    record = runs / f"{method}-{seed}.json"
    if not record.exists():
        start = time.perf_counter()
        command = [sys.executable, "-m", "sslreg", "train", PREFIX + method, "--set", f"seed={seed}"]
        subprocess.run([*command, "--out", folder, "--auto-resume"], check=True, stdout=subprocess.DEVNULL)
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        record.write_text(json.dumps({"seconds": time.perf_counter() - start, "summary": summary}), encoding="utf-8")
    loaded: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
    return loaded


def summarize(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the metrics of a method over its runs, and the median of the seconds."""
    summaries = [run["summary"] for run in runs]
    baselines = summaries[0]["baseline"]
    metrics = [name for name in baselines["raw_pixels"] if not name.endswith("_ci")]
    row: dict[str, Any] = {"seconds": statistics.median(run["seconds"] for run in runs)}
    for name in metrics:
        row[name] = {
            "raw pixels": mean_and_range([summary["baseline"]["raw_pixels"][name] for summary in summaries]),
            "untrained": mean_and_range([summary["baseline"]["untrained"][name] for summary in summaries]),
            "trained": mean_and_range([summary["final"][name] for summary in summaries]),
        }
    return row


def mean_and_range(values: Sequence[float]) -> dict[str, float]:
    figures = {"mean": statistics.mean(values), "low": min(values), "high": max(values)}
    return {name: round(value, 4) for name, value in figures.items()}


if __name__ == "__main__":
    main()
