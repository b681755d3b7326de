"""Writes docs/recipes/evidence.md: the differences that the tests of all methods find.

``make evidence`` runs it; it takes some minutes. ``python docs/evidence.py mae simmim`` measures these methods only and
keeps the rows of others.
"""

from __future__ import annotations

import argparse
import json
import os
import re
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("methods", nargs="*", help="the methods to measure; all by default")
    methods = parser.parse_args().methods
    rows = render_rows([each for each in measure(methods) if each[0] in methods or not methods])
    if methods:
        rows = read_rows() | rows
    PAGE.write_text(render(rows), encoding="utf-8")


def measure(methods: list[str]) -> list[tuple[str, str, float]]:
    """Run the tests, and return the method, the check and the difference of each comparison.

    Args:
        methods: Only tests with one of these words in their names or files run; all without any.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "differences.jsonl"
        tests = [
            file for file in (ROOT / "tests").rglob("test_*.py") if "record_difference(" in file.read_text("utf-8")
        ]
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-k", " or ".join(methods), *sorted(tests)],
            check=True,
            cwd=ROOT,
            env=os.environ | {"SSLREG_DIFFERENCES": str(path)},
        )
        return [tuple(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def render_rows(differences: list[tuple[str, str, float]]) -> dict[str, str]:
    """Return the row of each method."""
    largest: dict[str, dict[str, float]] = defaultdict(dict)
    for method, check, difference in differences:
        largest[method][check] = max(difference, largest[method].get(check, 0.0))
    rows = {}
    for method, found in largest.items():
        others = [f"{check}: {format_difference(found[check])}" for check in found if check not in CHECKS]
        cells = ["; ".join(others), *(format_difference(found[check]) if check in found else "" for check in CHECKS)]
        rows[method] = f"| `{method}` | {' | '.join(cells)} |"
    return rows


def read_rows() -> dict[str, str]:
    """Return the rows of the page."""
    return {row[1]: row[0] for row in re.finditer(r"^\| `(\w+)` \|.*$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)}


def render(rows: dict[str, str]) -> str:
    """Render the page from the rows of all methods."""
    head = [f"| method | equal to | {' | '.join(CHECKS.values())} |", f"|{'---|' * (2 + len(CHECKS))}"]
    return f"{INTRODUCTION}\n" + "\n".join([*head, *(rows[method] for method in sorted(rows))]) + "\n"


def format_difference(difference: float) -> str:
    return "0" if difference == 0 else f"{difference:.0e}"


if __name__ == "__main__":
    main()
