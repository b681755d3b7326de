"""All that is found out about the data sets of a spec or about a folder, and the recipe that suits them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sslreg
from sslreg_data.suggested_spec import compose_spec, format_spec
from sslreg_data.suggestion import suggest
from sslreg_data.summary import summarize
from sslreg_data.survey import choose_rows, count_shared, survey_images

#: What shows the progress with a number of images; it yields a function that takes the number of finished ones.
Progress = Callable[[int], AbstractContextManager[Callable[[int], None]]]

#: The keys of ``data`` that are the data sets, and what divides them.
_DATA_KEYS = ("train", "reference", "test", "split", "validation")


@dataclass(frozen=True)
class DataReport:
    """What is in data sets, and what suits them.

    Attributes:
        summaries: The summary of each data set by its role.
        shared: How many of the examined images of each other data set have the pixels of one of the training set.
        advice: Invariances to consider, and other remarks.
        suggested_spec: A spec as plain data; None if no image of the training set can be read.
    """

    summaries: dict[str, dict[str, Any]]
    shared: dict[str, int]
    advice: list[str]
    suggested_spec: dict[str, Any] | None

    def format_spec(self) -> str | None:
        """Return the text of the suggested spec, with the advice as comments."""
        return None if self.suggested_spec is None else format_spec(self.suggested_spec, self.advice)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "data": self.summaries,
            "shared_with_train": self.shared,
            "advice": self.advice,
            "suggested_spec": self.suggested_spec,
        }


def report_data(target: str, overrides: Sequence[str], limit: int | None, progress: Progress) -> DataReport:
    """Examine the data sets of a spec, or a folder of images.

    Args:
        target: The name of a spec, or a folder.
        overrides: Changes of the spec. A folder is read by `folder-simclr`.
        limit: How many images of each data set to examine; None for all.
        progress: Shows the progress.

    Raises:
        UserError: The spec or a data set cannot be loaded.
    """
    folder = Path(target) if Path(target).is_dir() else None
    spec = _load_spec(target, overrides) if folder is None else _read_folder(folder, overrides)
    readers = sslreg.build_readers(spec)
    # A spec says to how many channels a run converts images. Those of a folder are to be found out.
    finds_channels = folder is not None and not any(change.startswith("data.channels=") for change in overrides)
    summaries, surveys = {}, {}
    for role, samples in sslreg.build_datasets(spec).items():
        rows = choose_rows(len(samples), limit)
        with progress(len(rows)) as advance:
            channels = None if finds_channels else spec.data.channels
            surveys[role] = survey_images(samples, rows, readers, channels, advance)
        summaries[role] = summarize(samples, surveys[role])
    shared = {role: count_shared(surveys["train"], survey) for role, survey in surveys.items() if role != "train"}
    suggestion = suggest(surveys["train"])
    if suggestion is None:
        return DataReport(summaries, shared, [], None)
    data = _compose_data(spec, has_classes=summaries["train"]["classes"] is not None)
    name = Path(target).resolve().stem
    suggested = compose_spec(suggestion, name, data, summaries["train"]["normalize"])
    return DataReport(summaries, shared, suggestion.advice, suggested)


def _load_spec(target: str, overrides: Sequence[str]) -> sslreg.Spec:
    try:
        return sslreg.load_spec(target, overrides)
    except sslreg.UserError as error:
        first = error.diagnostics[0]
        if Path(target).exists() or first.code != "missing-file":
            raise
        raise sslreg.UserError(
            f"there is no spec or folder {target!r}", hint=first.hint, code="missing-file"
        ) from error


def _read_folder(folder: Path, overrides: Sequence[str]) -> sslreg.Spec:
    train = json.dumps({"use": "image_folder", "root": str(folder)})
    return sslreg.load_spec("folder-simclr", [f"data.train={train}", *overrides])


def _compose_data(spec: sslreg.Spec, *, has_classes: bool) -> dict[str, Any]:
    """Return the data sets of a spec, divided if evaluators could use a part of them."""
    section = spec.to_dict()["data"]
    data = {key: section[key] for key in _DATA_KEYS if section.get(key) is not None}
    if data["train"]["use"] == "image_folder" and "pattern" not in data["train"]:
        # The recipe says that there are no labels, which an entry without the key would keep.
        data["train"] = {**data["train"], "labels": "folders" if has_classes else "none"}
    if has_classes and not {"test", "split"} & set(data):
        data["split"] = {"test": 0.2}
    return data
