"""Evaluation of a finished run, with its evaluators or others, on its data or others."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from rich.console import Console

from sslreg.assembly import (
    Builder,
    NamedEvaluator,
    SampleDataset,
    blame_components,
    build_embed_collate,
    build_evaluation_sets,
    build_evaluators,
    require_leading_geometry,
    require_patch_backbone,
)
from sslreg.atomic_files import write_json
from sslreg.contracts import Embeddings, Model
from sslreg.errors import UserError
from sslreg.evaluation import Evaluation, embed, embed_batches, evaluate_baselines, warn_about_unreadable
from sslreg.runs.baselines_file import Baselines, BaselinesFile, digest_conditions, split_by_evaluator
from sslreg.runs.provenance import lock_readers
from sslreg.runs.run import Run, require_patches
from sslreg.spec import Spec, load_spec


def evaluate_run(
    run: Run,
    evaluators: Sequence[str] = (),
    data: Spec | None = None,
    *,
    store: bool = False,
    console: Console | None = None,
) -> dict[str, dict[str, float]]:
    """Evaluate the trained backbone, raw pixels and the untrained backbone.

    Baselines that the run has computed before are reused if nothing that they depend on differs.

    Args:
        run: The run.
        evaluators: Names from the run's spec, or of installed evaluators, which then have their defaults; by default
            the evaluators of the spec.
        data: A spec whose reference and test sets replace those of the run.
        store: Whether new baselines are stored with the run.
        console: Where progress is shown; by default nowhere.

    Returns:
        Figures by subject: ``trained``, ``raw_pixels`` and ``untrained``.

    Raises:
        UserError: There is no evaluator or no data, or the weights from which the run started are gone.
    """
    spec = _override_spec(run, evaluators, data)
    if not spec.evaluate:
        raise UserError(
            f"the spec of {run.path} names no evaluators",
            hint="name some: sslreg evaluate RUN knn few_shot",
            code="no-evaluators",
        )
    untrained = run.untrained_model()
    builder = Builder(spec, run.facts)
    built = build_evaluators(builder)
    reference, test = build_evaluation_sets(builder, built)
    require_patch_backbone(spec, built, untrained)
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
    with evaluation.progress.show(console):
        evaluation.progress.subject = "trained backbone"
        trained = evaluation.evaluate_model(run.model().to(device), built)
        return {"trained": trained, **_complete_baselines(run, evaluation, untrained, built, store, console)}


def _complete_baselines(
    run: Run,
    evaluation: Evaluation,
    untrained: Model,
    evaluators: Sequence[NamedEvaluator],
    store: bool,
    console: Console | None,
) -> Baselines:
    """Return the baselines that the run has computed before, and compute those that are missing."""
    file, digests = BaselinesFile(run.folder.baselines), digest_conditions(evaluation, untrained, evaluators)
    stored = file.read()
    known = {name: stored[digest] for name, digest in digests.items() if digest in stored}
    if known and console is not None:
        console.print(
            f"reusing the figures of raw pixels and the untrained backbone for {', '.join(known)}", style="dim"
        )
    missing = [entry for entry in evaluators if entry.name not in known]
    if missing:
        baselines = evaluate_baselines(evaluation, untrained.to(evaluation.device), missing)
        new = split_by_evaluator(baselines, [entry.name for entry in missing])
        if store:
            file.add({digests[name]: part for name, part in new.items()})
        known |= new
    return {
        subject: {metric: value for entry in evaluators for metric, value in known[entry.name][subject].items()}
        for subject in ("raw_pixels", "untrained")
    }


def save_evaluations(run: Run, figures: Mapping[str, Mapping[str, float]]) -> None:
    """Add figures of a run on its data to its ``evaluations.json``. They replace older ones of the same names.

    The file has figures by subject, as `evaluate_run` returns them, and the `steps` that the run has trained. Figures
    for another number of steps belong to other weights and are dropped.
    """
    path = run.path / "evaluations.json"
    steps = run.summary.get("steps")
    previous: dict[str, Any] = {}
    if path.is_file():
        content = json.loads(path.read_text(encoding="utf-8"))
        previous = content if content.get("steps") == steps else {}
    merged = {subject: {**previous.get(subject, {}), **new} for subject, new in figures.items()}
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
    return [f"data.{key}={json.dumps(other.get(key))}" for key in ("train", "reference", "test", "split")]


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
