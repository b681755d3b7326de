"""What changes of the code gained: the same work by two revisions, in turns.

``python -m benchmarks.before_after REVISION [--rounds 5]`` checks a revision out into a temporary folder and runs each
program below by it and by this checkout, in separate processes that alternate, with one thread. Times are processor
time without imports, medians with their range; the first round, which compiles kernels, is left out.

* two SimCLR views: of a 500x375 JPEG at 224 pixels, including decoding, an image
* DINO's ten crops: two at 224 and eight at 96 pixels, likewise
* two views at 32 pixels: of pixels, an image
* check of 100 operations: what ``sslreg check`` does for a view of 100 operations
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks._timing import write_results

ROOT = Path(__file__).parents[1]

_VIEWS = """
import time, torch
from benchmarks.views import dino_view, jpegs, simclr, thumbnails
from sslreg import Collate, Sample
from sslreg.views.malloc import keep_freed_memory
torch.set_num_threads(1)
keep_freed_memory()
images, plans = {setup}
samples = [Sample(image, None, number, 0) for number, image in enumerate(images)]
collate = Collate(plans, channels=3)
collate(samples)
start = time.process_time()
for _ in range({repetitions}):
    collate(samples)
print((time.process_time() - start) / {repetitions} / len(samples) * 1e3)
"""

_CHECK = """
import time, sslreg
operations = ", ".join(["{use: gaussian_noise, std: 0.01, p: 0.5}"] * 100)
text = "extends: digits-simclr\\nversion: 1\\nviews: [{repeat: 2, augment: [" + operations + "]}]\\n"
spec = sslreg.parse_spec(text, "long.yaml")
sslreg.try_spec(sslreg.load_spec("digits-simclr"))
start = time.process_time()
sslreg.try_spec(spec)
print((time.process_time() - start) * 1e3)
"""

PROGRAMS = {
    "two SimCLR views at 224, ms an image": _VIEWS.format(
        setup="jpegs(64, 500, 375), [simclr(224, 1.0, 0.5)] * 2", repetitions=8
    ),
    "DINO's ten crops, ms an image": _VIEWS.format(
        setup="jpegs(64, 500, 375), [dino_view(224, (0.4, 1.0), 1.0, 0.0), dino_view(224, (0.4, 1.0), 0.1, 0.2)]"
        " + [dino_view(96, (0.05, 0.4), 0.5, 0.0)] * 8",
        repetitions=5,
    ),
    "two views at 32, ms an image": _VIEWS.format(
        setup="[one.transpose(2, 0, 1) for one in thumbnails(256)], [simclr(32, 0.5, 0.0)] * 2", repetitions=60
    ),
    "check of 100 operations, ms": _CHECK,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("revision", help="the revision before the changes, as git names it")
    parser.add_argument("--rounds", type=int, default=5, help="repetitions of each measurement")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        before = Path(name) / "before"
        git("worktree", "add", "--detach", str(before), asked.revision)
        try:
            results = {title: compare(program, before, asked.rounds) for title, program in PROGRAMS.items()}
        finally:
            git("worktree", "remove", "--force", str(before))
    revisions = {"before": git("rev-parse", "--short", asked.revision), "after": git("rev-parse", "--short", "HEAD")}
    write_results("before_after", {"rounds": asked.rounds, "revisions": revisions, "results": results})


def compare(program: str, before: Path, rounds: int) -> dict[str, Any]:
    """Return medians and ranges of both, and the median of the ratios of neighbors."""
    taken: dict[str, list[float]] = {"before": [], "after": []}
    for number in range(rounds + 1):
        for side, root in (("before", before), ("after", ROOT)):
            figure = run(program, root)
            if number:
                taken[side].append(figure)
    ratios = [after / former for former, after in zip(taken["before"], taken["after"], strict=True)]
    row: dict[str, Any] = {}
    for side, figures in taken.items():
        row[side] = f"{statistics.median(figures):.4g} ({min(figures):.4g} to {max(figures):.4g})"
    row["after / before"] = round(statistics.median(ratios), 3)
    print(row)
    return row


def run(program: str, root: Path) -> float:
    """Return the figure that a program prints, run by the sources in a checkout."""
    path = os.pathsep.join([str(root), str(root / "plugins"), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", program]
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
