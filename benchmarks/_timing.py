"""Time candidates fairly on a busy machine, and store results with the machine that they come from."""

from __future__ import annotations

import gc
import importlib.metadata
import json
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

RESULTS = Path(__file__).parent / "results"


def time_interleaved(
    candidates: Mapping[str, Callable[[], object]],
    rounds: int = 7,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, dict[str, float]]:
    """Return the best, median and worst seconds of each candidate.

    The candidates alternate, so a busy moment slows all of them.
    """
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, run in candidates.items():
                start = clock()
                run()
                seconds[name].append(clock() - start)
    finally:
        gc.enable()
    return {
        name: {"best": min(taken), "median": statistics.median(taken), "worst": max(taken)}
        for name, taken in seconds.items()
    }


_PEAK = """
import re
def peak():
    return 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""


def extra_memory(setup: str, warm_up: str, run: str) -> int:
    """Return by how many bytes `run` raises the peak resident memory of a new process, after `setup` and `warm_up`.

    Works on Linux only: the peak of getrusage, which other systems have too, starts at that of the parent process.
    """
    program = "\n".join([_PEAK, setup, warm_up, "before = peak()", run, "print(peak() - before)"])
    finished = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=True
    )
    return int(finished.stdout)


def write_results(
    name: str, results: dict[str, Any], *, per_vendor: bool = True, device: str = "cpu", **more: str
) -> None:
    """Write results with the machine and versions that they come from.

    Args:
        name: The name of the benchmark and of the file.
        results: The content of the file.
        per_vendor: Write ``results/VENDOR/NAME.json``, since speed depends on the processor. Otherwise, as for
            accuracies, ``results/NAME.json``.
        device: ``cuda`` for results of the first GPU: ``results/nvidia-h200/NAME.json``.
        more: Other facts about the machine and the versions.
    """
    path = results_file(name, per_vendor=per_vendor, device=device)
    path.parent.mkdir(parents=True, exist_ok=True)
    packages = ("torch", "lightly", "pytorch-metric-learning")
    measured_on = {
        "threads": torch.get_num_threads(),
        "processor": _processor(),
        **({"card": torch.cuda.get_device_name()} if device == "cuda" else {}),
        "python": platform.python_version(),
        **{
            package: importlib.metadata.version(package) for package in packages if find_spec(package.replace("-", "_"))
        },
        **more,
    }
    path.write_text(json.dumps({"measured_on": measured_on, **results}, indent=2) + "\n", encoding="utf-8")
    print(f"written to {path.relative_to(Path(__file__).parent.parent)}")


def results_file(name: str, *, per_vendor: bool = True, device: str = "cpu") -> Path:
    """Return the path of the results of a benchmark, such as ``results/intel/views.json``.

    The folder is that of the vendor of the processor, or of the card for the device ``cuda``.
    """
    if device == "cuda":
        return RESULTS / re.sub(r"\W+", "-", torch.cuda.get_device_name().lower()) / f"{name}.json"
    return (RESULTS / _vendor() if per_vendor else RESULTS) / f"{name}.json"


def synchronized(run: Callable[[], object], device: str) -> Callable[[], object]:
    """Return a function that also waits until the device is done."""

    def run_and_wait() -> None:
        run()
        torch.cuda.synchronize()

    return run_and_wait if device == "cuda" else run


def _vendor() -> str:
    """Return `intel`, `amd`, `apple`, or the name of the architecture for other processors."""
    processor = _processor().lower()
    return next((vendor for vendor in ("intel", "amd", "apple") if vendor in processor), platform.machine())


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
