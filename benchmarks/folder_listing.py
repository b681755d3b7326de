"""The start of ``image_folder`` on a million files, next to a bare walk and to torchvision's ImageFolder.

``python -m benchmarks.folder_listing [--files 1000000] [--root FOLDER]`` creates hard links to one file, in 1,000
folders, and starts each of the four in a separate process, in turns. The first start lists the files, the second one
reads the listing from the user's cache. A bare walk counts the entries that `os.scandir` returns.

Seconds are wall-clock time and processor time of a start, without imports; medians of the repetitions. Memory is what
two worker processes add: the growth of the private memory of both while they read the names of all samples.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import sslreg
from benchmarks._timing import write_results

FOLDERS = 1000
SIDES = ("bare walk", "first start", "second start", "torchvision")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1_000_000, help="the number of files")
    parser.add_argument("--root", type=Path, help="where to create them; by default a temporary folder")
    parser.add_argument("--repetitions", type=int, default=5, help="starts of each side")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--memory", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory:
        print(json.dumps(measure_workers(options.root / "files")))
    elif options.side:
        print(json.dumps(measure_start(options.side, options.root / "files")))
    else:
        with tempfile.TemporaryDirectory(dir=options.root) as name:
            write_results("folder_listing", {"files": options.files} | compare(Path(name), options))


def compare(root: Path, options: argparse.Namespace) -> dict[str, Any]:
    create_files(root / "files", options.files)
    # A folder that has just changed is not remembered.
    time.sleep(3)
    seconds: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    for _ in range(options.repetitions):
        for cached in (root / "cache").glob("**/*.npz"):
            cached.unlink()
        for side in SIDES:
            seconds[side].append(run(root, "--side", side))
    results: dict[str, Any] = {
        side: {unit: round(statistics.median(each[unit] for each in own), 3) for unit in own[0]}
        for side, own in seconds.items()
    }
    for side in SIDES[1:]:
        ratios = [own["cpu_s"] / bare["cpu_s"] for own, bare in zip(seconds[side], seconds["bare walk"], strict=True)]
        results[side]["times a bare walk"] = round(statistics.median(ratios), 2)
    results["two workers"] = run(root, "--memory")
    print(json.dumps(results, indent=2))
    return results


def create_files(root: Path, count: int) -> None:
    """Create hard links to an empty file in many folders."""
    for folder in range(FOLDERS):
        path = root / f"class{folder:04}"
        path.mkdir(parents=True)
        first = path / "image_0000000.jpg"
        first.touch()
        for number in range(1, count // FOLDERS):
            os.link(first, path / f"image_{number:07}.jpg")


def run(root: Path, *arguments: str) -> Any:
    command = [sys.executable, "-m", "benchmarks.folder_listing", "--root", str(root), *arguments]
    env = {**os.environ, "XDG_CACHE_HOME": str(root / "cache")}
    return json.loads(subprocess.run(command, check=True, capture_output=True, env=env).stdout)


def measure_start(side: str, root: Path) -> dict[str, float]:
    from torchvision.datasets import ImageFolder as TorchvisionFolder

    from sslreg_datasets.image_folder import ImageFolder

    def read_nothing(_: str) -> None: ...

    starts = {
        "bare walk": lambda: count_entries(root),
        "torchvision": lambda: TorchvisionFolder(str(root), loader=read_nothing),
    }
    sslreg.image_extensions()  # imports the readers
    start = starts.get(side, lambda: ImageFolder(str(root)))
    wall, processor = time.perf_counter(), time.process_time()
    start()
    return {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - processor}


def count_entries(folder: str | Path) -> int:
    with os.scandir(folder) as entries:
        return sum(count_entries(entry.path) if entry.is_dir() else 1 for entry in entries)


def measure_workers(root: Path) -> dict[str, float]:
    """Return the memory that two workers add by reading the names of all samples, in MiB."""
    from sslreg_datasets.image_folder import ImageFolder

    dataset = ImageFolder(str(root))
    with get_context("fork").Pool(2, initializer=share, initargs=(dataset,)) as pool:
        private = pool.map(read_names, range(2), chunksize=1)
    return {"private memory, MiB": round(sum(private), 1)}


def share(dataset: Any) -> None:
    globals()["shared"] = dataset


def read_names(_: int) -> float:
    """Return what reading all names adds to the private memory of this process, in MiB."""
    dataset: Any = globals()["shared"]
    before = private_memory()
    for index in range(len(dataset)):
        dataset.name(index)
    return private_memory() - before


def private_memory() -> float:
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


if __name__ == "__main__":
    main()
