"""The runs of the workspace, as their files are now."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

import sslreg
from sslreg_browser.workspace import RunNumbers

#: The shortest time between two looks at the files, in seconds, for all pages together.
REFRESH_EVERY = 0.5

#: The largest number of runs whose curves are kept.
_KEPT_CURVES = 64


class RunFeed:
    """The runs under a folder, which may train. Methods may be called by several threads.

    Args:
        root: The folder of the runs, or a run.
        numbers: The numbers of runs in requests.
    """

    def __init__(self, root: Path, numbers: RunNumbers) -> None:
        self.root = root
        self.numbers = numbers
        self._index = sslreg.RunIndex(root)
        self._lock = threading.Lock()
        self._due = 0.0
        self._readers: dict[Path, sslreg.CurveReader] = {}

    def list_records(self) -> list[sslreg.RunRecord]:
        """Return the runs, oldest first."""
        with self._lock:
            self._refresh()
            return [indexed.record for indexed in self._index.runs.values()]

    def refresh(self) -> int:
        """Look at the files, and return a number that changes whenever one of the runs does."""
        with self._lock:
            self._refresh()
            return self._index.version

    def find_versions(self, paths: Sequence[Path]) -> list[int]:
        """Return for each run a number that changes whenever the run does.

        Raises:
            UserError: One of them no longer exists.
        """
        with self._lock:
            self._refresh()
            return [run.version for run in self._select(paths)]

    def read_results(self, paths: Sequence[Path]) -> list[sslreg.RunResults]:
        """Return the results of runs, with their curves.

        Raises:
            UserError: One of them no longer exists.
        """
        with self._lock:
            runs = self._select(paths)
            # Other threads read on while this one draws.
            curves = [{name: [*curve] for name, curve in self._read_curves(path).curves.items()} for path in paths]
        return sslreg.collect_results([(run.record, own) for run, own in zip(runs, curves, strict=True)])

    def describe_progress(self, record: sslreg.RunRecord) -> str:
        """Return how far a run that trains is: ``epoch 3 of 10, step 120, loss 4.26``."""
        with self._lock:
            reader = self._read_curves(record.path)
        if not reader.step:
            return ""
        epochs = record.value("trainer.max_epochs")
        of_epochs = f" of {epochs}" if isinstance(epochs, int) else ""
        loss = reader.curves.get("loss")
        return f"epoch {reader.epoch + 1}{of_epochs}, step {reader.step:,}" + (
            f", loss {loss[-1][1]:.4g}" if loss else ""
        )

    def name(self, path: Path) -> str:
        """Return the name of a run: its path from the root."""
        return path.relative_to(self.root).as_posix() if path != self.root else path.absolute().name

    def find_study_page(self, run: Path) -> Path | None:
        """Return the page of the study of which a run is a trial; None without one below the root."""
        folder = run.parent.parent
        is_trial = run.parent.name == "trials" and folder.is_relative_to(self.root)
        page = folder / "report.html"
        # A link may lead out of the root.
        is_page = is_trial and (folder / "study.json").is_file() and page.is_file() and not page.is_symlink()
        return page if is_page else None

    def _refresh(self) -> None:
        if time.monotonic() >= self._due:
            self._index.refresh()
            self._due = time.monotonic() + REFRESH_EVERY

    def _select(self, paths: Sequence[Path]) -> list[sslreg.IndexedRun]:
        runs = self._index.runs
        for path in paths:
            if path not in runs:
                raise sslreg.UserError(
                    f"the run {self.name(path)} no longer exists", hint="choose a run from the list", code="not-found"
                )
        return [runs[path] for path in paths]

    def _read_curves(self, path: Path) -> sslreg.CurveReader:
        reader = self._readers.pop(path, None) or sslreg.CurveReader(path / "metrics.csv")
        self._readers[path] = reader  # the latest is the last
        if len(self._readers) > _KEPT_CURVES:
            del self._readers[next(iter(self._readers))]
        reader.update()
        return reader
