"""Records of the runs under a folder, read from their small files without torch: a thousand runs take a second.

A dotted path names a value of a run. It leads into the resolved spec (``trainer.max_epochs``,
``views.0.augment.0.size``) or into the summary (``final.knn_top1``). The figures of the summary also have short names
(``knn_top1``). The value of a component is its name: ``model.backbone`` is ``resnet18``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sslreg.errors import UserError
from sslreg.metric_names import order_subjects
from sslreg.runs.folder import RunFolder
from sslreg.runs.run_state import determine_state
from sslreg.spec.yaml_dump import load_yaml

#: The value of a path that a run does not have.
MISSING: Any = object()

#: The file with later evaluations in the folder of a run.
EVALUATIONS = "evaluations.json"

#: The files of which each folder of a run has at least one.
_RUN_FILES = {RunFolder(Path()).resolved_spec.name, RunFolder(Path()).summary.name}

#: Where a figure with a short name is searched, in this order.
_FIGURE_SECTIONS = (("final",), ("evaluations", "trained"))

#: The paths of a run's fields, in addition to those of its spec and summary.
FIELDS = ("path", "state", "started")


@dataclass(frozen=True)
class RunRecord:
    """A run as its files describe it.

    Attributes:
        path: The run's folder.
        state: ``running``, ``finished``, ``interrupted`` or ``failed``; ``dead`` if the summary says running and no
            process trains; ``broken`` if a file is missing or damaged.
        values: The resolved spec and the summary in one mapping, with later evaluations under ``evaluations``.
        started: When the run was started, in seconds since 1970.
        problem: The files that are missing or damaged.
        spec: The resolved spec; empty if it is missing or damaged.
    """

    path: Path
    state: str
    values: Mapping[str, Any]
    started: float
    problem: str | None = None
    spec: Mapping[str, Any] = field(default_factory=dict)

    def value(self, path: str) -> Any:
        """Return the value at a dotted path, or `MISSING`."""
        if path in FIELDS:
            return str(self.path) if path == "path" else getattr(self, path)
        value = _get_at(self.values, path.split("."))
        return self.figure(path) if value is MISSING else value

    def figure(self, name: str) -> Any:
        """Return the figure of this name at the end of training, or else of a later evaluation, or `MISSING`."""
        values = (_get_at(self.values, [*section, name]) for section in _FIGURE_SECTIONS)
        return next((value for value in values if value is not MISSING), MISSING)

    def figures(self) -> dict[str, Any]:
        """Return all figures by their short names."""
        sections = (_get_at(self.values, section) for section in reversed(_FIGURE_SECTIONS))
        return {name: value for section in sections if isinstance(section, Mapping) for name, value in section.items()}

    def metrics_by_subject(self) -> dict[str, dict[str, float]]:
        """Return the metrics at the end of training, replaced by those of later evaluations, by subject.

        Subjects are in the order of a table's columns; those that every run has may have no metrics.
        """
        final, later = self.values.get("final") or {}, self.values.get("evaluations") or {}
        trained = {name: value for name, value in final.items() if name != "loss"}
        at_end = {"trained": trained, **(self.values.get("baseline") or {})}
        subjects = order_subjects(["raw_pixels", "untrained", *at_end, *(name for name in later if name != "steps")])
        return {subject: {**at_end.get(subject, {}), **later.get(subject, {})} for subject in subjects}

    def leaves(self) -> Iterator[tuple[str, Any]]:
        """Yield every scalar of the spec and the summary with its path."""
        return ((path, value) for path, value in _walk(self.values, "") if not isinstance(value, Mapping | list))

    def paths(self) -> Iterator[str]:
        """Yield every path that leads to a value, including the short names of figures."""
        yield from FIELDS
        yield from (path for path, _ in _walk(self.values, ""))
        yield from self.figures()


def find_runs(root: str | Path) -> list[RunRecord]:
    """Return the runs at any depth under a folder, or the run that it is, oldest first.

    Raises:
        UserError: The folder does not exist.
    """
    root = Path(root)
    require_folder(root)
    return sorted(
        map(read_run, map(Path, find_run_folders(os.fspath(root)))), key=lambda run: (run.started, str(run.path))
    )


def require_folder(root: Path) -> None:
    """Raise UserError if a folder that should contain runs does not exist."""
    if not root.is_dir():
        raise UserError(
            f"there is no folder {root}", hint="name the folder that contains the runs; default: runs", code="no-folder"
        )


def read_run(path: Path) -> RunRecord:
    """Read a run's files. A broken file makes a broken run, never an error."""
    folder = RunFolder(path)
    problems: list[str] = []
    spec = _read_mapping(folder.resolved_spec, load_yaml, problems)
    summary = _read_mapping(folder.summary, json.loads, problems)
    evaluations = path / EVALUATIONS
    values = {**spec, **summary}
    if evaluations.exists():
        values["evaluations"] = _read_mapping(evaluations, json.loads, problems)
    state = "broken" if problems else determine_state(folder, str(summary.get("status")))
    return RunRecord(path, state, values, _read_start(folder), "; ".join(problems) or None, spec)


def find_run_folders(root: str, known: Container[str] = ()) -> Iterator[str]:
    """Yield the folders of runs at any depth under a folder, or the folder itself if it is that of a run.

    Runs within a run are ignored. Links to folders are not followed: they may loop.

    Args:
        root: The folder.
        known: Folders of runs, which are yielded without a look, even if they no longer contain a run.
    """
    try:
        with os.scandir(root) as iterator:
            entries = list(iterator)
    except FileNotFoundError:  # it has been removed
        return
    if _RUN_FILES & {entry.name for entry in entries}:
        yield root
        return
    for entry in entries:
        if entry.path in known:
            yield entry.path
        elif entry.is_dir(follow_symlinks=False) and os.access(entry.path, os.R_OK | os.X_OK):
            yield from find_run_folders(entry.path, known)


def _read_mapping(path: Path, parse: Any, problems: list[str]) -> dict[str, Any]:
    """Return the mapping in a file. Append to `problems` if there is none."""
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


def _read_start(folder: RunFolder) -> float:
    """Return when the run was started: its spec is written once, at the start."""
    for path in (folder.spec, folder.path):
        try:
            return path.stat().st_mtime
        except OSError:
            continue
    return 0.0


def _get_at(values: Any, steps: Sequence[str]) -> Any:
    for step in steps:
        if isinstance(values, Mapping) and step in values:
            values = values[step]
        elif isinstance(values, list) and step.isdecimal() and len(step) < 10 and int(step) < len(values):
            values = values[int(step)]
        else:
            return MISSING
    return values


def _walk(values: Any, path: str) -> Iterator[tuple[str, Any]]:
    if path:
        yield path, values
    inner = values.items() if isinstance(values, Mapping) else enumerate(values) if isinstance(values, list) else ()
    for key, value in inner:
        yield from _walk(value, f"{path}.{key}" if path else str(key))


def to_scalar(value: Any) -> Any:
    """Return the name of a component, and any other value unchanged."""
    return value.get("use", value) if isinstance(value, Mapping) else value
