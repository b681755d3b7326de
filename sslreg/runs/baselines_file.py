"""The baselines that a run has computed, each with all that it depends on."""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from sslreg.assembly import NamedEvaluator
from sslreg.atomic_files import write_json
from sslreg.contracts import Model
from sslreg.evaluation import Evaluation, checksum_tensor
from sslreg.registry import installed
from sslreg.runs.provenance import read_versions

#: Metrics by subject: ``raw_pixels`` and ``untrained``.
Baselines = dict[str, dict[str, float]]

#: The parts of a spec on which baselines depend, in addition to the evaluators.
_SECTIONS = ("seed", "data", "views", "embed_view", "model")


class BaselinesFile:
    """A run's ``baselines.json``: the metrics of each evaluator under a digest of everything that they depend on.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, Baselines]:
        """Return the baselines by digest. A file that is missing or damaged has none: they can be computed again."""
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def add(self, baselines: Mapping[str, Baselines]) -> None:
        """Add baselines by digest."""
        if baselines:
            write_json(self.path, {**self.read(), **baselines})


def digest_conditions(evaluation: Evaluation, untrained: Model, evaluators: Sequence[NamedEvaluator]) -> dict[str, str]:
    """Return, by the evaluators' names, a digest of everything that the baselines of an evaluator depend on.

    These are the evaluator and its parameters, the images as models get them, their labels, the untrained weights, the
    sections of the spec that make them, the kind of device, and the versions of all packages that take part.

    Args:
        evaluation: The evaluation, after it has evaluated a model with `compute_checksum`.
        untrained: The untrained model.
        evaluators: The evaluators.
    """
    spec = evaluation.spec.to_dict()
    common = {
        "spec": {section: spec.get(section) for section in _SECTIONS},
        "weights": _checksum_weights(untrained),
        "device": evaluation.device.type,
        "versions": _list_versions(evaluation),
    }
    return {
        entry.name: _digest(
            common
            | {
                "evaluator": [entry.name, entry.component.info.target, _parameters(spec, entry.component.path)],
                "images": evaluation.checksum_for(entry.evaluator),
            }
        )
        for entry in evaluators
    }


def split_by_evaluator(baselines: Baselines, names: Sequence[str]) -> dict[str, Baselines]:
    """Return the metrics of each evaluator by its name, which begins the names of its metrics."""
    parts: dict[str, Baselines] = {name: {subject: {} for subject in baselines} for name in names}
    for subject, metrics in baselines.items():
        for metric, value in metrics.items():
            owner = max((name for name in names if metric.startswith(f"{name}_")), key=len)
            parts[owner][subject][metric] = value
    return parts


def _parameters(spec: Mapping[str, Any], path: Sequence[str | int]) -> dict[str, Any]:
    """Return an evaluator's entry in a spec without `every`: a baseline is evaluated once."""
    entry: Any = spec
    for step in path:
        entry = entry[step]
    return {key: value for key, value in entry.items() if key != "every"}


def _checksum_weights(model: Model) -> int:
    checksum = 0
    for name, value in model.state_dict().items():
        checksum = checksum_tensor(value, zlib.crc32(name.encode(), checksum))
    return checksum


def _list_versions(evaluation: Evaluation) -> dict[str, Any]:
    versions = read_versions(evaluation.spec)
    # The readers are listed completely; a run's spec may name those of its lock in addition.
    parts = {
        name: part
        for name, part in versions.pop("components").items()
        if not name.startswith(("evaluator/", "reader/"))
    }
    providers = {info.distribution for info in installed().of_kind("evaluator")}
    return versions | {"components": parts, "packages": _list_requirements(providers)}


def _list_requirements(distributions: set[str]) -> dict[str, str]:
    """Return the versions of distributions and of the packages that they require."""
    names = set(distributions)
    for distribution in distributions:
        with suppress(PackageNotFoundError):
            lines = (line for line in requires(distribution) or () if "extra ==" not in line)
            names |= {match[0] for line in lines if (match := re.match(r"[\w.-]+", line))}
    versions = {}
    for name in names:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions


def _digest(conditions: Mapping[str, Any]) -> str:
    text = json.dumps(conditions, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
