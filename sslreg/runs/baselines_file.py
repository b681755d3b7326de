"""The metrics of baselines that a run, or any run of the user, has computed, by digests of what they depend on."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sslreg.atomic_files import atomic_write, write_json
from sslreg.errors import SslregError
from sslreg.user_cache import is_own_file, user_cache_path

#: The metrics of a subject by name.
Metrics = dict[str, float]

#: The environment variable that, with the value ``off``, keeps runs from sharing baselines.
SWITCH = "SSLREG_BASELINE_CACHE"

#: The largest number of files that the user's cache of baselines has; a file has one or a few kilobytes.
MAX_CACHED = 2000


@dataclass
class BaselineRecords:
    """Baselines that have been computed.

    Attributes:
        weights: the checksums of the weights of baselines by name. They tell the weights when the files are gone.
        metrics: the metrics of an evaluator and a baseline, by a digest of everything that they depend on.
    """

    weights: dict[str, int] = field(default_factory=dict)
    metrics: dict[str, Metrics] = field(default_factory=dict)


class BaselinesFile:
    """A run's ``baselines.json``.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> BaselineRecords:
        """Return the baselines. A file that is missing or damaged has none: they can be computed again."""
        content = _read_mapping(self.path)
        weights, metrics = (content.get(key) for key in ("weights", "metrics"))
        if not isinstance(weights, dict) or not isinstance(metrics, dict):
            return BaselineRecords()
        return BaselineRecords(
            {name: checksum for name, checksum in weights.items() if isinstance(checksum, int)},
            {digest: entry for digest, entry in metrics.items() if _are_metrics(entry)},
        )

    def write(self, records: BaselineRecords) -> None:
        """Replace the baselines."""
        write_json(self.path, {"weights": records.weights, "metrics": records.metrics})


class SharedBaselines:
    """The baselines of all runs in the user's cache, a file for each digest.

    The cache is an optimization: what cannot be read counts as missing, and what cannot be written is not.
    """

    def find(self, digest: str) -> Metrics | None:
        """Return the metrics of a digest; None if they are unknown."""
        if not self.is_enabled:
            return None
        path = self._path(digest)
        with suppress(OSError):
            if is_own_file(path):
                content = _read_mapping(path)
                if _are_metrics(content) and content:
                    os.utime(path)  # the files that were used last are kept
                    return content
        return None

    def add(self, metrics: Mapping[str, Metrics]) -> None:
        """Add metrics by digest. Beyond `MAX_CACHED` files, those that were used longest ago are removed."""
        if not (metrics and self.is_enabled):
            return
        with suppress(OSError, SslregError):
            for digest, values in metrics.items():
                path = self._path(digest)
                path.parent.mkdir(parents=True, exist_ok=True)
                with atomic_write(path, shared=True) as draft:
                    draft.write_text(json.dumps(values), encoding="utf-8")
            _remove_oldest(path.parent)

    @property
    def is_enabled(self) -> bool:
        """Whether the environment variable `SWITCH` is not ``off``."""
        return os.environ.get(SWITCH, "").lower() != "off"

    @staticmethod
    def _path(digest: str) -> Path:
        return user_cache_path("baselines", [digest], ".json")


def _remove_oldest(folder: Path) -> None:
    """Remove a tenth of the files of the cache if there are more than `MAX_CACHED`."""
    files = list(folder.glob("*.json"))
    if len(files) > MAX_CACHED:
        ages = sorted((path.stat().st_mtime, path) for path in files)
        for _, path in ages[: len(files) - MAX_CACHED * 9 // 10]:
            path.unlink(missing_ok=True)


def _read_mapping(path: Path) -> dict[str, Any]:
    """Return the mapping in a JSON file; an empty one if the file is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _are_metrics(entry: Any) -> bool:
    return isinstance(entry, dict) and all(isinstance(value, float | int) for value in entry.values())
