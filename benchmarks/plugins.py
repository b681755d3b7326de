"""How long ``sslreg plugins list`` takes beside ``import torch``, with 50 third-party plugins installed.

``python benchmarks/plugins.py`` prints the medians of processor time and their ratio; the project aims at 0.5 or less.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

PLUGINS, RUNS = 50, 7

SOURCE = """
import sslreg

sslreg_api = 1


@sslreg.hookimpl
def sslreg_register(registry: sslreg.Registry) -> None:
    for kind in ("augmentation", "loss", "model"):
        registry.register(kind, f"acme_{number}_{{kind}}", f"acme_{number}.{{kind}}:Acme", summary="does something")
"""


def install(folder: Path, number: int) -> None:
    """Put a plugin and the metadata of its distribution on the path, as pip leaves them."""
    (folder / f"acme_{number}").mkdir()
    (folder / f"acme_{number}" / "__init__.py").write_text(SOURCE.format(number=number))
    metadata = folder / f"acme_{number}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: acme-{number}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[sslreg]\nacme_{number} = acme_{number}\n")


def processor_seconds(*command: str, path: Path) -> float:
    """The processor time that a command takes, which other work on the machine changes little."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(path)})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(PLUGINS):
            install(folder, number)
        listing = (sys.executable, "-c", "from sslreg.cli import main; main()", "plugins", "list")
        helping = (sys.executable, "-c", "from sslreg.cli import main; main()", "--help")
        torch = (sys.executable, "-c", "import torch")
        # In turn, so that whatever else the machine does meets all alike; the first round fills caches.
        rounds = [
            [processor_seconds(*each, path=folder) for each in (listing, helping, torch)] for _ in range(RUNS + 1)
        ]
    listed, helped, imported = (statistics.median(times) for times in zip(*rounds[1:], strict=True))
    print(f"import torch                              {imported:.2f} s")
    print(f"sslreg plugins list, {PLUGINS} plugins installed  {listed:.2f} s  ratio {listed / imported:.2f}")
    print(f"sslreg --help, the same                   {helped:.2f} s  ratio {helped / imported:.2f}")


if __name__ == "__main__":
    main()
