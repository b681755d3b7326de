"""Where loggers write, and what they remember from one process of a run to the next."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def logs(run_folder: str) -> Path:
    """The folder for logs within a run's folder. Nothing is made yet."""
    return Path(run_folder) / "logs"


def title(run_folder: str) -> str:
    """What a run is called where others are beside it: ``NAME/TIMESTAMP``, as its folder."""
    return "/".join(Path(run_folder).absolute().parts[-2:])


def require(package: str) -> None:
    """ValueError: a package is not installed; the message says with which extra it comes."""
    if find_spec(package) is None:
        raise ValueError(f"{package} is not installed; it comes with: pip install 'sslreg[{package}]'")


class Memory:
    """The identity that a service gave a run, in a file of the run's folder."""

    def __init__(self, run_folder: str, service: str) -> None:
        self.path = logs(run_folder) / f"{service}.id"

    def read(self) -> str | None:
        return self.path.read_text() if self.path.exists() else None

    def write(self, identity: str) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(identity)
