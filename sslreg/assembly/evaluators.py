"""Builds the evaluators of a spec and the data sets that they use."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import torch

from sslreg.assembly.builder import Builder
from sslreg.assembly.data_split import DatasetBuilder
from sslreg.assembly.sample_dataset import SampleDataset
from sslreg.assembly.view_builder import build_embed_plan
from sslreg.contracts import (
    Embeddings,
    Evaluator,
    LabeledPatches,
    Model,
    PatchBackbone,
    PatchEvaluator,
    SegmentedImages,
)
from sslreg.spec import ComponentSpec, Spec
from sslreg.suggestions import did_you_mean

#: How many classes a message about differing classes names.
_MAX_NAMED_CLASSES = 5


@dataclass(frozen=True)
class NamedEvaluator:
    """An evaluator of a spec.

    Attributes:
        name: the prefix of its metrics.
        evaluator: the evaluator.
        every: the number of epochs between evaluations; None evaluates only at the end.
        component: its entry in the spec.
    """

    name: str
    evaluator: Evaluator
    every: int | None
    component: ComponentSpec


def build_evaluators(builder: Builder) -> list[NamedEvaluator]:
    """Return the evaluators of a spec."""
    return [
        NamedEvaluator(
            component.keys["as"] or component.info.name, builder.build(component), component.keys["every"], component
        )
        for component in builder.spec.evaluate
    ]


def build_evaluation_sets(
    builder: Builder, evaluators: list[NamedEvaluator], datasets: DatasetBuilder | None = None
) -> tuple[SampleDataset, SampleDataset]:
    """Return the reference set, on which evaluators fit, and the test set.

    Args:
        builder: builds the components of the spec.
        evaluators: the evaluators that use them.
        datasets: has built the training set, which is the reference set unless the spec names another.

    Raises:
        UserError: there is no test set, labels are missing or of the wrong kind, or the classes of the two sets differ.
    """
    spec = builder.spec
    require_test_set(spec)
    datasets = datasets or DatasetBuilder(builder)
    reference = datasets.build("train" if spec.data.find("reference") is None else "reference")
    test = datasets.build("test")
    for entry in evaluators:
        _require_targets(spec, entry, "data", reference, test)
    _require_same_classes(spec, "data", reference, test)
    return reference, test


@dataclass(frozen=True)
class Guard:
    """What guards a training against forgetting.

    Attributes:
        evaluator: the evaluator; its metrics begin with ``guard_``.
        reference: the data set that the evaluator fits on.
        test: the data set that the evaluator is tested on.
    """

    evaluator: NamedEvaluator
    reference: SampleDataset
    test: SampleDataset


def build_guard_evaluator(builder: Builder) -> NamedEvaluator | None:
    """Return the evaluator of the spec's guard; None without a guard."""
    if builder.spec.guard is None:
        return None
    component = builder.spec.guard.evaluator
    name = f"guard_{component.keys['as'] or component.info.name}"
    return NamedEvaluator(name, builder.build(component), component.keys["every"] or 1, component)


def build_guard(builder: Builder, datasets: DatasetBuilder) -> Guard | None:
    """Return the guard of a spec; None if it has none.

    Raises:
        UserError: labels are missing or of the wrong kind, or the classes of the two sets differ.
    """
    spec, evaluator = builder.spec, build_guard_evaluator(builder)
    if spec.guard is None or evaluator is None:
        return None
    guard = Guard(evaluator, datasets.build_whole(spec.guard.reference), datasets.build_whole(spec.guard.test))
    _require_targets(spec, evaluator, "guard", guard.reference, guard.test)
    _require_same_classes(spec, "guard", guard.reference, guard.test)
    return guard


def choose_guard_figure(spec: Spec, evaluator: NamedEvaluator, metrics: Sequence[str]) -> str:
    """Return the metric that the guard of a spec compares: the one that it names, or else the first.

    Raises:
        UserError: the evaluator does not return the metric.
    """
    assert spec.guard is not None
    figure = spec.guard.figure
    if figure is None and metrics:
        return metrics[0]
    if figure is None or figure not in metrics:
        raise spec.error(
            ("guard", "figure") if figure is not None else evaluator.component.path,
            "no-such-figure",
            f"the evaluator {evaluator.component.use!r} returns no metric {figure!r}",
            did_you_mean(figure or "", metrics) or f"it returns {', '.join(metrics) or 'none'}",
        )
    return figure


def _require_targets(
    spec: Spec, entry: NamedEvaluator, section: str, reference: SampleDataset, test: SampleDataset
) -> None:
    """Refuse data sets of a section whose targets are not of the kind that an evaluator needs."""
    for role, samples in (("reference", reference), ("test", test)):
        _require_targets_of(spec, entry, f"{section}.{role}", role, samples)


def _require_targets_of(spec: Spec, entry: NamedEvaluator, key: str, role: str, samples: SampleDataset) -> None:
    if isinstance(entry.evaluator, PatchEvaluator):
        if not samples.has_masks:
            raise spec.error(
                entry.component.path,
                "no-masks",
                f"{entry.name} needs segmentation masks, but the {role} set has "
                f"{'class numbers' if samples.has_targets or samples.has_label_sets else 'no labels'}",
                f"name a data set whose targets are masks under {key}",
            )
    elif entry.evaluator.needs_targets and samples.has_masks:
        raise spec.error(
            entry.component.path,
            "no-class-numbers",
            f"{entry.name} needs a class number for each image, but the {role} set has segmentation masks",
            f"use an evaluator of patches, or name a data set with class numbers under {key}",
        )
    elif entry.evaluator.needs_targets and samples.has_label_sets:
        if not entry.evaluator.takes_label_sets:
            raise spec.error(
                entry.component.path,
                "several-labels",
                f"{entry.name} needs a single class number for each image, but the {role} set has several labels",
                "use knn or linear, or a data set with one label for each image",
            )
    elif entry.evaluator.needs_targets and not samples.has_targets:
        raise spec.error(
            entry.component.path,
            "no-labels",
            f"{entry.name} needs labels, but the {role} set has none",
            f"name a data set with labels under {key}",
        )


def require_patch_backbone(spec: Spec, evaluators: Iterable[NamedEvaluator], model: Model) -> None:
    """Refuse evaluators of patches if the backbone has no patches."""
    entry = next((entry for entry in evaluators if isinstance(entry.evaluator, PatchEvaluator)), None)
    if entry is not None and not isinstance(model.backbone, PatchBackbone):
        raise spec.error(
            entry.component.path,
            "no-patches",
            f"{entry.name} evaluates features of patches, and the backbone {type(model.backbone).__name__} has none",
            "use a backbone of patches, such as a Vision Transformer, or remove the evaluator",
        )


def require_leading_geometry(spec: Spec, evaluators: Iterable[NamedEvaluator]) -> None:
    """Refuse evaluators of patches if the embedding view moves pixels after it has changed their values.

    Masks follow the leading geometry only.
    """
    entry = next((entry for entry in evaluators if isinstance(entry.evaluator, PatchEvaluator)), None)
    if entry is None:
        return
    plan = build_embed_plan(spec)
    if late := [str(operation) for operation in plan.operations[plan.leading :] if operation.geometry]:
        raise spec.error(
            entry.component.path,
            "late-geometry",
            f"{entry.name} compares masks with the embedding view, which moves pixels after it has changed their "
            f"values: {', '.join(late)}",
            "list the operations that move pixels first in embed_view, or in the view that it is derived from",
        )


def require_test_set(spec: Spec) -> None:
    """Refuse evaluators without a test set."""
    if spec.evaluate and spec.data.find("test") is None:
        raise spec.error(
            ("evaluate",),
            "no-test-set",
            "there is no data set to evaluate on",
            "name a data set under data.test, or divide the training set with data.split: {test: 0.2}",
        )


def make_random_embeddings() -> tuple[Embeddings, Embeddings]:
    """Return a reference set and a test set of 256 random embeddings in 8 classes."""
    generator = torch.Generator().manual_seed(0)
    indices = torch.arange(256)
    names = [str(index) for index in range(256)]
    reference, test = torch.randn(2, 256, 8, generator=generator)
    return Embeddings(reference, indices % 8, indices, names), Embeddings(test, indices % 8, indices, names)


def make_random_patches() -> tuple[LabeledPatches, list[SegmentedImages]]:
    """Return 256 random patches in 8 classes, and a batch of four random images of 4 x 4 patches with masks."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(256, 128, generator=generator)
    images = torch.randn(4, 4, 4, 128, generator=generator)
    masks = torch.randint(8, (4, 16, 16), dtype=torch.uint8, generator=generator)
    number = torch.arange(256)
    test = SegmentedImages(images, masks, number[:4], [str(index) for index in range(4)])
    return LabeledPatches(features, number % 8, number // 16), [test]


def require_best_figure(spec: Spec, figures: Collection[str] | None = None) -> None:
    """Refuse a ``checkpoint.best`` that no evaluator of the spec provides during training.

    Args:
        spec: the spec.
        figures: the figures that the evaluators provide; None if they have not run, so that only the name of the
            evaluator is compared.
    """
    best = spec.checkpoint.best
    if best is None:
        return
    names = [component.keys["as"] or component.info.name for component in spec.evaluate]
    is_provided = any(best.startswith(f"{name}_") for name in names) if figures is None else best in figures
    if not is_provided:
        begin = f"figures begin with {' or '.join(f'{name}_' for name in names)}" if names else "add it to `evaluate`"
        raise spec.error(
            ("checkpoint", "best"),
            "no-such-figure",
            f"no evaluator of the spec provides the figure {best!r}",
            (did_you_mean(best, figures) if figures else None) or begin,
        )


def _require_same_classes(spec: Spec, section: str, reference: SampleDataset, test: SampleDataset) -> None:
    """Raise an error if class numbers mean different classes, as in folders with different subfolders."""
    if reference.classes is None or test.classes is None or reference.classes == test.classes:
        return
    differing = sorted({*reference.classes} ^ {*test.classes})
    names = ", ".join(repr(name) for name in differing[:_MAX_NAMED_CLASSES]) or "their order"
    raise spec.error(
        (section, "test"),
        "classes-differ",
        f"the reference set and the test set number different classes; they differ in {names}",
        "use the same classes in both sets: remove those that one of them lacks",
    )
