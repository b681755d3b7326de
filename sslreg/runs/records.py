"""The runs under a folder, as far as their small files tell. Imports no torch: a thousand are read in a second.

A value of a run is named by a dotted path into its resolved spec (``trainer.max_epochs``, ``views.0.augment.0.size``)
or its summary (``final.knn_top1``), whose figures may also go by their own names (``knn_top1``). A component is known
by its name: ``model.backbone`` is ``resnet18``.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sslreg.errors import UserError
from sslreg.runs.folder import RunFolder
from sslreg.runs.run_lock import is_in_use
from sslreg.spec.yaml_dump import load

#: Stands for a value that a run does not have.
MISSING: Any = object()

#: Where a figure that is called by its own name is looked for, in this order.
_FIGURES = (("final",), ("evaluations", "trained"))

#: The paths to what a run is beside its spec and summary.
OWN = ("path", "state", "started")

#: Seconds without a sign of life after which a run is taken for dead where locks tell nothing, as on some networks.
SILENCE = 15 * 60.0


@dataclass(frozen=True)
class RunRecord:
    """One run as its files describe it.

    state: running, finished, interrupted, failed; dead, where the summary says running and no process does it; or
    broken, where a file is missing or damaged, which `problem` names. values: the resolved spec and the summary in one,
    with the evaluations made afterwards under ``evaluations``. started: seconds since the epoch.
    """

    path: Path
    state: str
    values: Mapping[str, Any]
    started: float
    problem: str | None = None

    def value(self, path: str) -> Any:
        """The value at a dotted path, or `MISSING`."""
        if path in OWN:
            return str(self.path) if path == "path" else getattr(self, path)
        found = _at(self.values, path.split("."))
        return self.figure(path) if found is MISSING else found

    def figure(self, name: str) -> Any:
        """The figure of this name that training ended with, or else an evaluation afterwards; or `MISSING`."""
        found = (_at(self.values, [*section, name]) for section in _FIGURES)
        return next((value for value in found if value is not MISSING), MISSING)

    def figures(self) -> dict[str, Any]:
        """All that `figure` finds."""
        sections = (_at(self.values, section) for section in reversed(_FIGURES))
        return {name: value for section in sections if isinstance(section, Mapping) for name, value in section.items()}

    def leaves(self) -> Iterator[tuple[str, Any]]:
        """Every single value of the spec and the summary with its path."""
        return ((path, value) for path, value in _paths(self.values, "") if not isinstance(value, Mapping | list))

    def paths(self) -> Iterator[str]:
        """Every path that leads to a value, the figures by their own names too."""
        yield from OWN
        yield from (path for path, _ in _paths(self.values, ""))
        yield from self.figures()


def find_runs(root: str | Path) -> list[RunRecord]:
    """The runs at any depth under a folder, or the one that it is, oldest first. UserError: there is no such folder."""
    root = Path(root)
    if not root.is_dir():
        raise UserError(
            f"there is no folder {root}", hint="name the folder that holds the runs; default: runs", code="no-folder"
        )
    return sorted(map(read_run, _folders(root)), key=lambda run: (run.started, str(run.path)))


def read_run(path: Path) -> RunRecord:
    """What a run's files say; a broken file makes a broken run, never an error."""
    folder = RunFolder(path)
    problems: list[str] = []
    spec = _read(folder.resolved_spec, load, problems)
    summary = _read(folder.summary, json.loads, problems)
    evaluations = path / "evaluations.json"
    values = {**spec, **summary}
    if evaluations.exists():
        values["evaluations"] = _read(evaluations, json.loads, problems)
    state = "broken" if problems else _state(folder, str(summary.get("status")))
    return RunRecord(path, state, values, _started(folder), "; ".join(problems) or None)


def _folders(root: Path) -> Iterator[Path]:
    """Folders of runs. What is in a run is not looked into; links to folders are not followed, since they may loop."""
    with os.scandir(root) as found:
        entries = list(found)
    names = {entry.name for entry in entries}
    if names & {RunFolder(root).resolved_spec.name, RunFolder(root).summary.name}:
        yield root
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False) and os.access(entry.path, os.R_OK | os.X_OK):
            yield from _folders(Path(entry.path))


def _read(path: Path, parse: Any, problems: list[str]) -> dict[str, Any]:
    """A file's mapping; what is wrong with it goes to `problems`."""
    try:
        content = parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        problems.append(f"{path.name} is missing")
    except OSError as error:
        problems.append(f"{path.name} cannot be read: {error.strerror}")
    except (ValueError, RecursionError, yaml.YAMLError):
        problems.append(f"{path.name} is damaged")
    else:
        if isinstance(content, dict):
            return content
        problems.append(f"{path.name} is damaged")
    return {}


def _state(folder: RunFolder, status: str) -> str:
    if status != "running":
        return status
    held = is_in_use(folder)
    if held is None:
        latest = max((path.stat().st_mtime for path in (folder.metrics, folder.summary) if path.exists()), default=0.0)
        held = time.time() - latest < SILENCE
    return "running" if held else "dead"


def _started(folder: RunFolder) -> float:
    """When the run was begun: its spec is written once, at the start."""
    for path in (folder.spec, folder.path):
        try:
            return path.stat().st_mtime
        except OSError:
            continue
    return 0.0


def _at(values: Any, steps: Sequence[str]) -> Any:
    for step in steps:
        if isinstance(values, Mapping) and step in values:
            values = values[step]
        elif isinstance(values, list) and step.isdecimal() and len(step) < 10 and int(step) < len(values):
            values = values[int(step)]
        else:
            return MISSING
    return values


def _paths(values: Any, path: str) -> Iterator[tuple[str, Any]]:
    if path:
        yield path, values
    inner = values.items() if isinstance(values, Mapping) else enumerate(values) if isinstance(values, list) else ()
    for key, value in inner:
        yield from _paths(value, f"{path}.{key}" if path else str(key))


def as_scalar(value: Any) -> Any:
    """A component's name in place of the component; anything else as it is."""
    return value.get("use", value) if isinstance(value, Mapping) else value
