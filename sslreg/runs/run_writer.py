"""Writing a run's spec, lock and summary."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from sslreg.atomic_files import write_json, write_text
from sslreg.contracts import LoadedWeights
from sslreg.errors import SslregError
from sslreg.metric_names import order_subjects
from sslreg.runs.baseline_evaluation import BaselineEvaluation
from sslreg.runs.baselines_file import BaselinesFile
from sslreg.runs.folder import RunFolder
from sslreg.runs.metrics_file import MetricsFile
from sslreg.runs.provenance import build_lock
from sslreg.spec import Spec


class RunWriter:
    """The writer of a run's spec, lock and summary. Of several processes, the main one calls it.

    Args:
        folder: The run's folder.
        spec: The spec that is trained.
        facts: The facts that the run learned when it was assembled, such as the number of classes.
        data: The samples of each data set.
        weights: The weights from which backbones start, by the paths of the backbones in the spec.
        learning_rate: The learning rate at the start of the schedule.

    Attributes:
        summary: The content of summary.json.
    """

    def __init__(
        self,
        folder: RunFolder,
        spec: Spec,
        facts: Mapping[str, Any],
        data: Mapping[str, Any],
        weights: Mapping[str, LoadedWeights],
        learning_rate: float,
    ) -> None:
        self.folder = folder
        self.spec = spec
        self.facts = dict(facts)
        self.data = dict(data)
        self.weights = dict(weights)
        self.summary: dict[str, Any] = {
            "name": spec.name,
            "status": "running",
            "resumed_at": [],
            "learning_rate": float(f"{learning_rate:.6g}"),
        }

    def start(self, baselines: BaselineEvaluation | None) -> None:
        """Write the files of a new run into its folder.

        Args:
            baselines: The evaluated baselines; None without evaluation.
        """
        self.summary["baseline"] = {}
        if baselines is not None:
            self.summary["baseline"] = {name: baselines.metrics[name] for name in order_subjects(baselines.metrics)}
            self.weights |= baselines.loaded_weights
        write_text(self.folder.spec, self.spec.source)
        write_text(self.folder.resolved_spec, self.spec.to_yaml())
        write_json(self.folder.lock, build_lock(self.spec, self.facts, self.data, self.weights))
        if baselines is not None:
            BaselinesFile(self.folder.baselines).write(baselines.records)
        write_json(self.folder.summary, self.summary)

    def reopen(self, checkpoint: Mapping[str, Any], key: str) -> None:
        """Restore the files to their state when a checkpoint was written.

        Args:
            checkpoint: The checkpoint from which the run resumes.
            key: The entry of the summary that gets the checkpoint's step: ``resumed_at`` or ``rewound_at``.
        """
        self.summary.update(json.loads(self.folder.summary.read_text(encoding="utf-8")), status="running")
        self.summary[key] = [*self.summary.get(key, []), checkpoint["global_step"]]
        write_text(self.folder.resolved_spec, self.spec.to_yaml())
        write_json(self.folder.lock, self.read_lock() | {"facts": self.facts})
        write_json(self.folder.summary, self.summary)
        MetricsFile(self.folder.metrics).truncate(checkpoint["callbacks"]["MetricsRecorder"]["rows"])

    def read_lock(self) -> dict[str, Any]:
        """Return the content of lock.json."""
        lock: dict[str, Any] = json.loads(self.folder.lock.read_text(encoding="utf-8"))
        return lock

    def finish(self, results: Mapping[str, Any], timing: Mapping[str, Any]) -> None:
        """Add results to the summary, and write it and the report on the time (`report_timing`)."""
        self.summary.update(results)
        write_json(self.folder.timing, dict(timing))
        write_json(self.folder.summary, self.summary)


def overwrite_status(folder: RunFolder, status: str) -> None:
    """Write another status into the summary of a run, if there is one. Nothing is raised: the process is ending."""
    with suppress(SslregError, OSError, ValueError):
        summary = json.loads(folder.summary.read_text(encoding="utf-8"))
        write_json(folder.summary, summary | {"status": status})
