"""Time ``sslreg plugins list`` with 50 third-party plugins, compared with ``import torch``.

``python benchmarks/plugins.py`` prints the medians of processor time and their ratio. The target is at most 0.5.
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
    """Add a plugin and the metadata of its distribution, as pip installs them."""
    (folder / f"acme_{number}").mkdir()
    (folder / f"acme_{number}" / "__init__.py").write_text(SOURCE.format(number=number))
    metadata = folder / f"acme_{number}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: acme-{number}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[sslreg]\nacme_{number} = acme_{number}\n")


def measure_processor_seconds(*command: str, path: Path | None = None) -> float:
    """Return the processor time of a command. Other work on the machine changes it little.

    Args:
        command: The program and its arguments.
        path: The PYTHONPATH of the command; None for that of this process.
    """
    environment = os.environ if path is None else {**os.environ, "PYTHONPATH": str(path)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(PLUGINS):
            install(folder, number)
        list_plugins = (sys.executable, "-c", "from sslreg.cli import main; main()", "plugins", "list")
        show_help = (sys.executable, "-c", "from sslreg.cli import main; main()", "--help")
        import_torch = (sys.executable, "-c", "import torch")
        # The commands alternate, so other work on the machine affects all alike. The first round fills caches.
        rounds = [
            [measure_processor_seconds(*each, path=folder) for each in (list_plugins, show_help, import_torch)]
            for _ in range(RUNS + 1)
        ]
    listing, helping, importing = (statistics.median(times) for times in zip(*rounds[1:], strict=True))
    print(f"import torch                              {importing:.2f} s")
    print(f"sslreg plugins list, {PLUGINS} plugins installed  {listing:.2f} s  ratio {listing / importing:.2f}")
    print(f"sslreg --help, the same                   {helping:.2f} s  ratio {helping / importing:.2f}")


if __name__ == "__main__":
    main()
