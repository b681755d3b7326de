"""What a user should know about a run: why it stopped, how it resumes, and what went wrong."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import sslreg

#: The number of skipped images that are listed.
_LISTED = 100


@dataclass(frozen=True)
class Note:
    """A note about a run.

    Attributes:
        text: What there is to know.
        command: A command that helps; may be empty.
        is_warning: Whether something is wrong.
    """

    text: str
    command: str = ""
    is_warning: bool = True


@dataclass(frozen=True)
class SkippedImages:
    """Images that could not be read.

    Attributes:
        count: Their number.
        rows: The names of the first ones, with the reasons.
    """

    count: int
    rows: tuple[tuple[str, str], ...]


def collect_notes(run: sslreg.RunResults) -> list[Note]:
    """Return the notes about a run, the most important first."""
    record = run.record
    return [*_describe_state(record), *_describe_training(run), *_list_warnings(record)]


def _describe_state(record: sslreg.RunRecord) -> Iterator[Note]:
    if record.problem:
        yield Note(f"The run is broken: {record.problem}.")
    folder = sslreg.RunFolder(record.path)
    stopped = {
        "interrupted": "The run was interrupted.",
        "failed": "The run failed; its terminal shows why.",
        "dead": "The process of the run ended without writing why.",
    }
    if record.state not in stopped:
        return
    if folder.last_checkpoint.exists() or folder.previous_checkpoint.exists():
        yield Note(f"{stopped[record.state]} Resume it from its last checkpoint:", folder.resume_command)
    else:
        yield Note(f"{stopped[record.state]} It has no checkpoint, so start it again.")


def _describe_training(run: sslreg.RunResults) -> Iterator[Note]:
    values = run.record.values
    latest = {name: curve[-1][1] for name, curve in run.curves.items()}
    if collapse := sslreg.describe_collapse(latest):
        yield Note(f"The embeddings have collapsed: {collapse}.")
    if steps := values.get("skipped_steps"):
        yield Note(f"Steps that were skipped because numbers were not finite: {steps}.")
    if guard := values.get("guard"):
        for line in sslreg.format_guard(guard):
            yield Note(f"{line}.", is_warning=guard["stopped_at"] is not None)
    if values.get("ended_early"):
        yield Note("The run ended early, as the program that started it requested.", is_warning=False)


@lru_cache(maxsize=64)
def _validate(path: Path, _changed: float) -> tuple[str, ...]:
    """Return the warnings of `sslreg check` about a spec, which depend on the time of its last change."""
    try:
        return tuple(warning.message for warning in sslreg.load_spec(path).warnings)
    except sslreg.SslregError as error:
        return (f"the spec cannot be used here: {error.diagnostics[0].message}",)


def _list_warnings(record: sslreg.RunRecord) -> Iterator[Note]:
    path = sslreg.RunFolder(record.path).resolved_spec
    try:
        changed = path.stat().st_mtime
    except OSError:
        return
    for message in _validate(path, changed):
        yield Note(f"{message[:1].upper()}{message[1:]}.")


def read_skipped(record: sslreg.RunRecord) -> SkippedImages | None:
    """Return the images that a run could not read, None if there are none."""
    try:
        text = (record.path / "skipped.csv").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    complete, end, _ = text.rpartition("\n")
    rows: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(complete + end)))
    listed = tuple((row.get("name") or "", row.get("reason") or "") for row in rows[:_LISTED])
    return SkippedImages(len(rows), listed) if rows else None
