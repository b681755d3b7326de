"""Time ``sslreg check`` of the shipped specs, compared with the import of what it may need.

``python -m benchmarks.check [--rounds 5] [SPEC …]`` measures processor time of fresh processes, which alternate with
one that imports torch, torchvision, numba and scikit-learn. Ratios are those of medians. The target is at most 1.2.
"""

from __future__ import annotations

import argparse
import statistics
import sys

from benchmarks._timing import write_results
from benchmarks.plugins import measure_processor_seconds
from sslreg.spec import shipped_specs

IMPORTS = "import torch, torchvision, numba, sklearn"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("specs", nargs="*", metavar="SPEC", help="shipped specs; all by default")
    parser.add_argument("--rounds", type=int, default=5, help="repetitions of each measurement")
    options = parser.parse_args()
    commands = {"imports": (sys.executable, "-c", IMPORTS)}
    for name in options.specs or sorted(shipped_specs()):
        commands[name] = (sys.executable, "-m", "sslreg", "check", name)
    # The commands alternate, so other work on the machine affects all alike. The first round fills caches.
    rounds = [
        {name: measure_processor_seconds(*command) for name, command in commands.items()}
        for _ in range(options.rounds + 1)
    ]
    seconds = {name: statistics.median(times[name] for times in rounds[1:]) for name in commands}
    ratios = {name: taken / seconds["imports"] for name, taken in seconds.items() if name != "imports"}
    print(f"{IMPORTS}: {seconds['imports']:.2f} s")
    for name, ratio in ratios.items():
        print(f"sslreg check {name:20} {seconds[name]:.2f} s  ratio {ratio:.2f}")
    if not options.specs:
        write_results("check", {"rounds": options.rounds, "seconds": seconds, "ratio to the imports": ratios})


if __name__ == "__main__":
    main()
