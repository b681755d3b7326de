"""Evaluation of a finished run, with its evaluators or others, on its data or others."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from rich.console import Console

from sslreg.assembly import (
    Builder,
    SampleDataset,
    blame_components,
    build_embed_collate,
    build_evaluation_sets,
    build_evaluators,
    require_leading_geometry,
    require_patch_backbone,
    starts_from_weights,
)
from sslreg.atomic_files import write_json
from sslreg.contracts import Embeddings, Model
from sslreg.errors import UserError
from sslreg.evaluation import Evaluation, embed, embed_batches, warn_about_unreadable
from sslreg.metric_names import order_subjects
from sslreg.runs.baseline_digests import find_embedding_component
from sslreg.runs.baseline_evaluation import BaselineEvaluation
from sslreg.runs.baselines_file import BaselinesFile
from sslreg.runs.provenance import lock_readers
from sslreg.runs.run import Run, require_patches
from sslreg.spec import Spec, load_spec


@dataclass(frozen=True)
class RunMetrics:
    """The metrics of a run and of its baselines.

    Attributes:
        by_subject: the metrics by subject: ``raw_pixels``, ``untrained``, ``starting`` if the run started from weights,
            the further baselines of the spec, and ``trained``.
        unavailable: by baseline, why metrics of it are missing.
    """

    by_subject: dict[str, dict[str, float]]
    unavailable: dict[str, str]

    def as_json(self) -> dict[str, Any]:
        """Return the metrics by subject, and the reasons if there are any."""
        return {**self.by_subject, **({"unavailable": self.unavailable} if self.unavailable else {})}


def evaluate_run(
    run: Run,
    evaluators: Sequence[str] = (),
    data: Spec | None = None,
    *,
    store: bool = False,
    console: Console | None = None,
) -> RunMetrics:
    """Evaluate the trained backbone and the baselines.

    Baselines that this run or another has computed before are reused if nothing that they depend on differs.

    Args:
        run: The run.
        evaluators: Names from the run's spec, or of installed evaluators, which then have their defaults; by default
            the evaluators of the spec.
        data: A spec whose reference and test sets replace those of the run.
        store: Whether new baselines are stored with the run.
        console: Where progress is shown; by default nowhere.

    Raises:
        UserError: There is no evaluator or no data.
    """
    spec = _override_spec(run, evaluators, data)
    if not spec.evaluate:
        raise UserError(
            f"the spec of {run.path} names no evaluators",
            hint="name some: sslreg evaluate RUN knn few_shot",
            code="no-evaluators",
        )
    model = run.model()
    builder = Builder(spec, run.facts)
    built = build_evaluators(builder)
    reference, test = build_evaluation_sets(builder, built)
    require_patch_backbone(spec, built, model)
    require_leading_geometry(spec, built)
    device = select_device()
    evaluation = Evaluation(
        spec,
        reference,
        test,
        build_embed_collate(spec),
        device,
        compute_checksum=True,
        unfinished=run.folder.unfinished_evaluations,
    )
    file = BaselinesFile(run.folder.baselines)
    baselines = BaselineEvaluation(evaluation, built, file.read(), console)
    with evaluation.progress.show(console):
        evaluation.progress.subject = "trained backbone"
        trained = evaluation.evaluate_model(model.to(device), built)
        _evaluate_baselines(run, baselines, builder, model)
    if store and baselines.records != file.read():
        file.write(baselines.records)
    by_subject = {**baselines.metrics, "trained": trained}
    return RunMetrics({subject: by_subject[subject] for subject in order_subjects(by_subject)}, baselines.unavailable)


def _evaluate_baselines(run: Run, baselines: BaselineEvaluation, builder: Builder, model: Model) -> None:
    component = find_embedding_component(run.spec, model)
    baselines.evaluate_raw_pixels(model.backbone)
    baselines.evaluate_model("untrained", component, run.untrained_model)
    if starts_from_weights(run.spec, model.backbone):
        baselines.evaluate_model("starting", component, run.starting_model, required=False)
    baselines.evaluate_further(builder, required=False)


def save_evaluations(run: Run, metrics: Mapping[str, Mapping[str, float]]) -> None:
    """Add metrics of a run on its data to its ``evaluations.json``. They replace older ones of the same names.

    The file has metrics by subject, and the `steps` that the run has trained. Metrics for another number of steps
    belong to other weights and are dropped.
    """
    path = run.path / "evaluations.json"
    steps = run.summary.get("steps")
    previous: dict[str, Any] = {}
    if path.is_file():
        content = json.loads(path.read_text(encoding="utf-8"))
        previous = content if content.get("steps") == steps else {}
    merged = {subject: {**previous.get(subject, {}), **new} for subject, new in metrics.items()}
    write_json(path, {"steps": steps, **merged})


def embed_split(run: Run, split: str) -> Embeddings:
    """Embed one of the run's data sets: train, reference or test."""
    return embed_samples(run, run.split(split))


def embed_samples(run: Run, samples: SampleDataset) -> Embeddings:
    """Embed a data set with the run's model. Raises SslregError if the code of the model raises something else."""
    device = select_device()
    model = run.model().to(device)
    with blame_components(run.spec):
        return embed(
            samples,
            build_embed_collate(run.spec),
            model.embed,
            device=device,
            workers=run.spec.data.workers,
        )


def embed_patches(run: Run, samples: SampleDataset) -> Iterator[Embeddings]:
    """Yield the features of the patches of a data set, some images at a time.

    If the spec skips unreadable images, they are left out and logged at the end.

    Raises:
        UserError: The backbone has no patches.
        SslregError: The code of the model raises something else.
    """
    device = select_device()
    backbone = require_patches(run.backbone()).to(device)
    embedded: list[int] = []
    with blame_components(run.spec):
        for part in embed_batches(
            samples,
            build_embed_collate(run.spec),
            backbone.patches,
            device=device,
            workers=run.spec.data.workers,
        ):
            embedded += part.indices.tolist()
            yield part
    warn_about_unreadable(samples, embedded)


def select_device() -> torch.device:
    """Return the device on which a finished run is used: the GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def override_datasets(data: Spec) -> list[str]:
    """Return overrides that replace the data sets of a spec by those of another spec."""
    other = data.to_dict()["data"]
    return [f"data.{key}={json.dumps(other.get(key))}" for key in ("train", "reference", "test", "split", "validation")]


def _override_spec(run: Run, evaluators: Sequence[str], data: Spec | None) -> Spec:
    """Return the run's spec with overrides for other evaluators or other data."""
    overrides = []
    if evaluators:
        specified = {entry.get("as", entry["use"]): entry for entry in run.spec.to_dict().get("evaluate", [])}
        entries: list[dict[str, Any]] = [specified.get(name, {"use": name}) for name in evaluators]
        overrides.append(f"evaluate={json.dumps(entries)}")
    if data is not None:
        if data.data.find("test") is None:  # the test set remains that of the run
            sections = data.to_dict()["data"]
            overrides.append(f"data.reference={json.dumps(sections.get('reference') or sections['train'])}")
        else:
            overrides += override_datasets(data)
    return lock_readers(load_spec(run.folder.resolved_spec, overrides), run.folder)
