"""The speed of a study in two processes with one thread each, compared with one process with one thread.

``python -m benchmarks.tune_parallel [--trials 12]`` trains the same trials on the digits twice: in this process, and in
two workers. The time of the workers includes their start. Run it on a machine with two free cores.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import torch
from rich.console import Console

import sslreg
from benchmarks._timing import write_results
from sslreg_tune.budget import Budget
from sslreg_tune.figure import Figure
from sslreg_tune.search_config import SearchConfig
from sslreg_tune.search_space import build_search_space
from sslreg_tune.study import Study

OVERRIDES = ("trainer.max_epochs=8", "trainer.accelerator=cpu", "data.workers=0")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=12)
    trials = parser.parse_args().trials
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        # The first study evaluates the baselines, which later ones reuse, and compiles what is compiled.
        measure(Path(folder) / "first", 1, 1)
        seconds = {count: measure(Path(folder) / f"{count}", count, trials) for count in (1, 2)}
    ratio = seconds[1] / seconds[2]
    print(f"{trials} trials: {seconds[1]:.1f} s in one process, {seconds[2]:.1f} s in two, {ratio:.2f} times the speed")
    write_results("tune_parallel", {"trials": trials, "seconds": seconds, "speedup": ratio})


def measure(folder: Path, processes: int, trials: int) -> float:
    """Return the seconds in which a study trains trials with equal budgets."""
    spec = sslreg.load_spec("digits-simclr", OVERRIDES)
    space = build_search_space(spec, ["loss.temperature=0.05..1:log"], False, OVERRIDES)
    values = tuple(({"loss.temperature": 0.2}, seed) for seed in range(trials))
    config = SearchConfig("digits-simclr", OVERRIDES, Figure("loss", lowest=True, every=1), space, trials=values)
    budget = Budget(trials=trials)
    start = time.monotonic()
    study = Study(folder, config, budget=budget)
    study.run(budget, parallel=processes, console=Console(quiet=True))
    elapsed = time.monotonic() - start
    states = [record.state for record in study.records()]
    assert states == ["finished"] * trials, states
    return elapsed


if __name__ == "__main__":
    main()
