"""What is browsed: a spec, and a folder of runs."""

from __future__ import annotations

import threading
from pathlib import Path

import sslreg

#: The folder of runs that is browsed by default.
DEFAULT = "runs"


#: The number of images whose features are shown by default, and the largest number.
EMBEDDED, MOST_EMBEDDED = 2_000, 20_000


class RunNumbers:
    """Numbers for the folders of runs.

    A page names a run by its number only, so no path from a request is ever opened. A run keeps its number until the
    server ends.
    """

    def __init__(self) -> None:
        self._paths: list[Path] = []
        self._numbers: dict[Path, int] = {}
        self._lock = threading.Lock()

    def number(self, path: Path) -> int:
        """Return the number of a run, a new one if the run is new."""
        with self._lock:
            if path not in self._numbers:
                self._numbers[path] = len(self._paths)
                self._paths.append(path)
            return self._numbers[path]

    def path(self, number: int) -> Path:
        """Return the folder of the run with a number.

        Raises:
            UserError: No run has this number.
        """
        if not 0 <= number < len(self._paths):
            raise sslreg.UserError(
                f"there is no run number {number}", hint="choose a run from the list", code="not-found"
            )
        return self._paths[number]


class Workspace:
    """What is browsed.

    Attributes:
        spec: The spec, a file or the name of a shipped one; None if none was named.
        runs: The folder that contains the runs, or a run; None if there is no such folder.
        run: The run that was named; None if none was named.
        embedded: The largest number of images of a run whose features are shown.
        run_numbers: The numbers by which pages name runs.
    """

    def __init__(
        self,
        *,
        spec: str | None = None,
        runs: Path | None = None,
        run: Path | None = None,
        embedded: int = EMBEDDED,
    ) -> None:
        self.spec = spec
        self.runs = runs
        self.run = run
        self.embedded = embedded
        self.run_numbers = RunNumbers()
        if run is not None:
            self.run_numbers.number(run)


def open_workspace(target: str, embedded: int = EMBEDDED) -> Workspace:
    """Return what a target names.

    Args:
        target: A folder of runs, the folder of a run, the file of a spec, or the name of a shipped spec.
        embedded: The largest number of images of a run whose features are shown.

    Raises:
        UserError: There is no such folder and no such spec, or the spec is invalid.
    """
    folder = Path(target)
    if folder.is_dir():
        index = sslreg.RunIndex(folder)
        index.refresh()
        if not index.runs:
            raise sslreg.UserError(
                f"there is no run in {target}",
                hint="create one with sslreg train SPEC, or name a spec: sslreg browse digits-simclr",
                code="no-runs",
            )
        return Workspace(runs=folder, run=folder if folder in index.runs else None, embedded=embedded)
    if target == DEFAULT:
        raise sslreg.UserError(
            f"there is no folder {DEFAULT}",
            hint="create a run with sslreg train SPEC, or name a spec: sslreg browse digits-simclr",
            code="no-runs",
        )
    sslreg.load_spec(target)
    runs_folder = Path(DEFAULT)
    return Workspace(spec=target, runs=runs_folder if runs_folder.is_dir() else None, embedded=embedded)
