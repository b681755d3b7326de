"""Evaluates a run after its training, with its own evaluators or others, on its own data or others'."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from sslreg.assembly import Builder, SampleDataset, build_embed_collate, build_evaluation_sets, build_evaluators
from sslreg.atomic_files import write_json
from sslreg.contracts import Embeddings
from sslreg.errors import UserError
from sslreg.evaluation import Evaluation, embed, evaluate_baselines
from sslreg.runs.run import Run
from sslreg.spec import Spec, load_spec


def evaluate_run(run: Run, evaluators: Sequence[str] = (), data: Spec | None = None) -> dict[str, dict[str, float]]:
    """Figures of the backbone as trained, of raw pixels and of the backbone before training.

    They are under ``trained``, ``raw_pixels`` and ``untrained``.

    evaluators: names from the run's spec, or of any installed evaluator, which then has its defaults; none given means
    those of the spec. data: a spec whose reference and test sets take the place of the run's. UserError: nothing
    to evaluate with, or on.
    """
    spec = _respecified(run, evaluators, data)
    if not spec.evaluate:
        raise UserError(
            f"the spec of {run.path} names no evaluators",
            hint="name some: sslreg evaluate RUN knn few_shot",
            code="no-evaluators",
        )
    builder = Builder(spec, run.facts)
    named = build_evaluators(builder)
    reference, test = build_evaluation_sets(builder, named)
    device = best_device()
    evaluation = Evaluation(spec, reference, test, build_embed_collate(spec), device)
    return {
        "trained": evaluation.evaluate_model(run.model().to(device), named),
        **evaluate_baselines(evaluation, run.untrained_model().to(device), named),
    }


def keep_evaluations(run: Run, figures: Mapping[str, Mapping[str, float]]) -> None:
    """Add figures of a run on its own data to its ``evaluations.json``, where they replace older ones of their names.

    The file has figures by subject, as `evaluate_run` gives them, and the `steps` that the run had trained. What is
    there of another number of steps is of other weights, and is dropped.
    """
    path = run.path / "evaluations.json"
    steps = run.summary.get("steps")
    kept: dict[str, Any] = {}
    if path.is_file():
        found = json.loads(path.read_text(encoding="utf-8"))
        kept = found if found.get("steps") == steps else {}
    merged = {subject: {**kept.get(subject, {}), **own} for subject, own in figures.items()}
    write_json(path, {"steps": steps, **merged})


def embed_split(run: Run, split: str) -> Embeddings:
    """Embed one of the run's data sets: train, reference or test."""
    return embed_samples(run, run.split(split))


def embed_samples(run: Run, samples: SampleDataset) -> Embeddings:
    """Embed a data set with the run's model."""
    device = best_device()
    return embed(
        samples,
        build_embed_collate(run.spec),
        run.model().to(device).embed,
        device=device,
        workers=run.spec.data.workers,
    )


def best_device() -> torch.device:
    """Where a run is used after its training: on a GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _respecified(run: Run, evaluators: Sequence[str], data: Spec | None) -> Spec:
    """The run's spec with other evaluators or other data, as overrides would have it."""
    overrides = []
    if evaluators:
        own = {entry.get("as", entry["use"]): entry for entry in run.spec.to_dict().get("evaluate", [])}
        entries: list[dict[str, Any]] = [own.get(name, {"use": name}) for name in evaluators]
        overrides.append(f"evaluate={json.dumps(entries)}")
    if data is not None:
        other = data.to_dict()["data"]
        overrides.append(f"data.reference={json.dumps(other.get('reference', other['train']))}")
        if "test" in other:
            overrides.append(f"data.test={json.dumps(other['test'])}")
    return load_spec(run.folder.resolved_spec, overrides)
