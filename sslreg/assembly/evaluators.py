"""Builds the evaluators of a spec and the data sets that they use."""

from __future__ import annotations

from dataclasses import dataclass

from sslreg.assembly.builder import Builder
from sslreg.assembly.sample_dataset import SampleDataset
from sslreg.contracts import Evaluator
from sslreg.spec import ComponentSpec, Spec

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
    builder: Builder, evaluators: list[NamedEvaluator], train: SampleDataset | None = None
) -> tuple[SampleDataset, SampleDataset]:
    """Return the reference set, on which evaluators fit, and the test set.

    Args:
        builder: builds the data sets.
        evaluators: the evaluators that use them.
        train: the training set if it has been built; it is the reference set unless the spec names another.

    Raises:
        UserError: there is no test set, labels are missing, or the classes of the two sets differ.
    """
    spec = builder.spec
    if spec.data.test is None:
        raise spec.error(
            ("evaluate",), "no-test-set", "there is no data set to evaluate on", "name a data set under data.test"
        )
    if spec.data.reference is None and train is not None:
        reference = train
    else:
        reference = SampleDataset(builder.build(spec.data.reference or spec.data.train))
    test = SampleDataset(builder.build(spec.data.test))
    for entry in evaluators:
        for role, samples in (("reference", reference), ("test", test)):
            if entry.evaluator.needs_targets and not samples.has_targets:
                raise spec.error(
                    entry.component.path,
                    "no-labels",
                    f"{entry.name} needs labels, but the {role} set has none",
                    f"name a data set with labels under data.{role}",
                )
    _require_same_classes(spec, reference, test)
    return reference, test


def _require_same_classes(spec: Spec, reference: SampleDataset, test: SampleDataset) -> None:
    """Raise an error if class numbers mean different classes, as in folders with different subfolders."""
    if reference.classes is None or test.classes is None or reference.classes == test.classes:
        return
    differing = sorted({*reference.classes} ^ {*test.classes})
    names = ", ".join(repr(name) for name in differing[:_MAX_NAMED_CLASSES]) or "their order"
    raise spec.error(
        ("data", "test"),
        "classes-differ",
        f"the reference set and the test set number different classes; they differ in {names}",
        "use the same classes in both sets: remove those that one of them lacks",
    )
