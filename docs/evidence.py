"""Writes docs/recipes/evidence.md: the differences that the tests of all methods find.

``make evidence`` runs it; it takes some minutes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "recipes" / "evidence.md"

#: The checks of tests/methods, with the title of their column. Other checks compare with something that is not ours.
CHECKS = {
    "two processes": "two processes and one",
    "resumed": "cut and resumed",
    "bfloat16": "bfloat16 and float32",
    "compiled": "compiled and not",
}

INTRODUCTION = """\
# Evidence

<!-- Written by docs/evidence.py (make evidence). -->

Each method is compared with something that is not part of this project, and with itself. The table holds the largest
difference that was found.

* **Equal to**: the loss of some training steps in float64, by other modules with the same weights, or by the paper's
  formula. The losses have more tests, which compare values and gradients.
* **Two processes and one**: weights, buffers and memory banks after eight steps of the recipe for the digits, in
  float64 and with synchronized batch normalization, compared with one process that has the whole batch.
* **Cut and resumed**: the same after a run that was cut in the middle of an epoch and resumed. They are equal to the
  bit.
* **bfloat16 and float32**: the loss in eight steps with `trainer.precision: bf16-mixed`, relative where it is above 1.
* **Compiled and not**: weights, buffers and memory banks after eight steps with `engine.compile`, of the graph that the
  compiler captures, without the optimizations of a backend.
"""


def measure() -> list[tuple[str, str, float]]:
    """Run the tests, and return the method, the check and the difference of each comparison."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "differences.jsonl"
        tests = [ROOT / "tests" / name for name in ("methods", "plugins/sslreg_models", "plugins/sslreg_losses")]
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *tests],
            check=True,
            cwd=ROOT,
            env=os.environ | {"SSLREG_DIFFERENCES": str(path)},
        )
        return [tuple(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def render(differences: list[tuple[str, str, float]]) -> str:
    """Render the page."""
    largest: dict[str, dict[str, float]] = defaultdict(dict)
    for method, check, difference in differences:
        largest[method][check] = max(difference, largest[method].get(check, 0.0))
    lines = [
        f"| method | equal to | {' | '.join(CHECKS.values())} |",
        f"|{'---|' * (2 + len(CHECKS))}",
    ]
    for method, found in sorted(largest.items()):
        others = [f"{check}: {format_difference(found[check])}" for check in found if check not in CHECKS]
        cells = ["; ".join(others), *(format_difference(found[check]) if check in found else "" for check in CHECKS)]
        lines.append(f"| `{method}` | {' | '.join(cells)} |")
    return f"{INTRODUCTION}\n" + "\n".join(lines) + "\n"


def format_difference(difference: float) -> str:
    return "0" if difference == 0 else f"{difference:.0e}"


if __name__ == "__main__":
    PAGE.write_text(render(measure()), encoding="utf-8")
