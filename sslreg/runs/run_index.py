"""The runs under a folder, read again only when their files change. Imports no torch."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sslreg.runs.folder import RunFolder
from sslreg.runs.records import EVALUATIONS, RunRecord, find_run_folders, read_run, require_folder
from sslreg.runs.run_state import determine_state

#: The seconds after which a run that trains is checked for being dead. A check of a held lock waits.
CHECK_EVERY = 3.0

#: The states in which the process of a run decides about the state.
_LIVE = ("running", "dead")

_FOLDER = RunFolder(Path())

#: The files that describe a run, and last the file of its curves.
_FILES = (_FOLDER.resolved_spec.name, _FOLDER.summary.name, EVALUATIONS, _FOLDER.metrics.name)

#: The identity, the size and the time of a file; None without the file.
_Stamp = tuple[int, int, int] | None


@dataclass(frozen=True)
class IndexedRun:
    """A run of an index.

    Attributes:
        record: The run.
        version: The version of the index in which the run, or its metrics.csv, changed.
    """

    record: RunRecord
    version: int


@dataclass(frozen=True)
class _Entry:
    indexed: IndexedRun
    stamps: list[_Stamp]
    metrics: _Stamp
    checked: float


class RunIndex:
    """The runs under a folder, which may train.

    ::

        index = RunIndex(Path("runs"))
        index.refresh()
        for indexed in index.runs.values():
            print(indexed.record.path, indexed.record.state)

    Args:
        root: The folder that contains the runs, or the folder of a run.

    Attributes:
        root: The folder.
        version: A number that grows with each refresh that finds a change.

    Raises:
        UserError: The folder does not exist.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        require_folder(self.root)
        self.version = 0
        self._entries: dict[str, _Entry] = {}

    @property
    def runs(self) -> Mapping[Path, IndexedRun]:
        """The runs by their folders, oldest first."""
        return {entry.indexed.record.path: entry.indexed for entry in self._entries.values()}

    def refresh(self) -> bool:
        """Read what has changed, and return whether anything has. Without changes, no file is opened."""
        version = self.version + 1
        found = ((path, self._read(path, version)) for path in find_run_folders(os.fspath(self.root), self._entries))
        entries = {path: entry for path, entry in found if entry is not None}
        has_changed = entries.keys() != self._entries.keys() or any(
            entry.indexed.version == version for entry in entries.values()
        )
        if has_changed:
            self.version = version
        order = sorted(entries, key=lambda path: (entries[path].indexed.record.started, path))
        self._entries = {path: entries[path] for path in order}
        return has_changed

    def _read(self, path: str, version: int) -> _Entry | None:
        """Return the entry of a run, None if its folder has neither a spec nor a summary."""
        before, now = self._entries.get(path), time.monotonic()
        # Files that change while they are read are read again by the next refresh.
        *stamps, metrics = (_read_stamp(os.path.join(path, name)) for name in _FILES)
        if stamps[:2] == [None, None]:
            return None
        if before is None or stamps != before.stamps:
            return _Entry(IndexedRun(read_run(Path(path)), version), stamps, metrics, now)
        record, checked = before.indexed.record, before.checked
        if record.state in _LIVE and now - checked >= CHECK_EVERY:
            record = replace(record, state=determine_state(RunFolder(record.path), str(record.values.get("status"))))
            checked = now
        if record.state == before.indexed.record.state and metrics == before.metrics:
            return replace(before, checked=checked)
        return _Entry(IndexedRun(record, version), stamps, metrics, checked)


def _read_stamp(path: str) -> _Stamp:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
