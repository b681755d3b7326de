"""Evaluates the baselines of a run, as far as they have not been evaluated before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from rich.console import Console

from sslreg.assembly import Builder, NamedEvaluator, blame_components, build_baseline, require_patches
from sslreg.contracts import Backbone, BackboneEvaluator, LoadedWeights, Model
from sslreg.errors import UserError
from sslreg.evaluation import Evaluation, evaluate_raw_pixels
from sslreg.runs.baseline_digests import checksum_embedding, describe_model, describe_raw_pixels, digest_conditions
from sslreg.runs.baselines_file import BaselineRecords, Metrics, SharedBaselines
from sslreg.spec import ComponentSpec

_Select = Callable[[Sequence[NamedEvaluator]], Sequence[NamedEvaluator]]
#: Evaluates a baseline by some evaluators, of which the second argument, if there is one, selects those that run.
_Evaluate = Callable[[Sequence[NamedEvaluator], _Select | None], Mapping[str, float]]

#: The subjects of evaluations as they appear in messages.
_PHRASES = {
    "raw_pixels": "raw pixels",
    "untrained": "the untrained backbone",
    "starting": "the starting weights",
}


#: The subjects as the progress shows them.
_PROGRESS = {"untrained": "untrained backbone", "starting": "starting weights"}


def describe_subject(name: str) -> str:
    """Return the words for a subject in a message."""
    return _PHRASES.get(name, name)


@dataclass
class BaselineEvaluation:
    """An evaluation of baselines.

    Attributes:
        evaluation: the data on which they are evaluated. It computes checksums.
        evaluators: the evaluators.
        records: the baselines that the run has computed before; new ones are added.
        console: where reused baselines are reported; None reports nothing.
        metrics: the metrics by baseline.
        unavailable: by baseline, why metrics of it are missing.
        loaded_weights: what further baselines have loaded, by their paths in the spec.
    """

    evaluation: Evaluation
    evaluators: Sequence[NamedEvaluator]
    records: BaselineRecords = field(default_factory=BaselineRecords)
    console: Console | None = None
    metrics: dict[str, Metrics] = field(default_factory=dict)
    unavailable: dict[str, str] = field(default_factory=dict)
    loaded_weights: dict[str, LoadedWeights] = field(default_factory=dict)
    _shared: SharedBaselines = field(default_factory=SharedBaselines, repr=False)

    def evaluate_model(
        self, name: str, component: ComponentSpec, build: Callable[[], Model], *, required: bool = True
    ) -> None:
        """Evaluate a model.

        Args:
            name: the name of the baseline.
            component: the component that embeds images.
            build: builds the model.
            required: whether a model that cannot be built is an error. Otherwise, it is built only if metrics or the
                checksum of its weights are unknown, and unavailable if that fails.

        Raises:
            UserError: the model is required, and cannot be built.
        """
        spec, known = self.evaluation.spec, None if required else self.records.weights.get(name)
        self.evaluation.progress.subject = _PROGRESS.get(name, name)
        models: list[Model] = []

        def load() -> Model:
            if not models:
                with blame_components(spec):
                    models.append(build())
                checksum = checksum_embedding(component, models[0])
                if known is not None and checksum != known:
                    raise UserError("the weights have changed since the run started", code="no-initial-weights")
                self.records.weights[name] = checksum
            return models[0]

        try:
            if known is None:
                load()
            subject = describe_model(spec, component, self.records.weights[name])
            self._complete(
                name,
                subject,
                lambda missing, select: self.evaluation.evaluate_model(
                    load().to(self.evaluation.device), missing, select
                ),
                self.evaluators,
            )
        except UserError as error:
            if required or error.diagnostics[0].code == "cannot-evaluate":
                raise
            self.metrics.setdefault(name, {})
            self.unavailable[name] = error.diagnostics[0].message

    def evaluate_raw_pixels(self, backbone: Backbone) -> None:
        """Evaluate raw pixels. A model has been evaluated before, so that the checksums are known.

        Evaluators that train a backbone have no metrics of raw pixels.

        Args:
            backbone: the backbone whose patch size evaluators of patches use.
        """
        self.evaluation.progress.subject = "raw pixels"
        training = [entry.name for entry in self.evaluators if isinstance(entry.evaluator, BackboneEvaluator)]
        if training:
            self.unavailable["raw_pixels"] = f"{', '.join(training)}: raw pixels have no backbone to train"
        self._complete(
            "raw_pixels",
            describe_raw_pixels(backbone),
            lambda missing, _: evaluate_raw_pixels(self.evaluation, missing, backbone),
            [entry for entry in self.evaluators if entry.name not in training],
        )

    def evaluate_further(self, builder: Builder, *, required: bool = True) -> None:
        """Evaluate the baselines that the spec names. A model has been evaluated before.

        Args:
            builder: builds components of the spec.
            required: whether a baseline that cannot be built is an error.
        """
        for name, component in self.evaluation.spec.baselines.items():
            self.evaluate_model(name, component, partial(self._build_further, builder, component), required=required)

    def _build_further(self, builder: Builder, component: ComponentSpec) -> Model:
        assert self.evaluation.image_shape is not None  # a model has been evaluated before
        model = build_baseline(builder, component, self.evaluation.image_shape)
        require_patches(builder.spec, component, model.backbone, self.evaluators)
        if (weights := model.backbone.loaded_weights) is not None:
            path = ".".join(map(str, component.path))
            self.loaded_weights[path] = weights
            if self.console is not None:
                self.console.print(f"{path}: {weights.describe()}", style="dim", highlight=False, markup=False)
        return model

    def _complete(
        self, name: str, subject: Mapping[str, Any], evaluate: _Evaluate, evaluators: Sequence[NamedEvaluator]
    ) -> None:
        """Look up the metrics of a baseline, and evaluate those that are unknown."""
        digests: dict[str, str] = {}
        known: dict[str, Metrics] = {}

        def select(evaluators: Sequence[NamedEvaluator]) -> Sequence[NamedEvaluator]:
            """Return the evaluators whose metrics are unknown."""
            digests.update(digest_conditions(self.evaluation, subject, evaluators))
            known.update(self._look_up(digests))
            return [entry for entry in evaluators if entry.name not in known]

        is_prepared = all(self.evaluation.checksum_for(entry.evaluator) is not None for entry in evaluators)
        missing = select(evaluators) if is_prepared else evaluators
        new: dict[str, Metrics] = {}
        try:
            if missing:
                metrics = evaluate(missing, None if is_prepared else select)
                new = split_by_evaluator(metrics, [entry.name for entry in missing if entry.name not in known])
        finally:  # what is known is shown even if the baseline is unavailable
            parts = known | new
            self.metrics[name] = {
                metric: value for entry in evaluators for metric, value in parts.get(entry.name, {}).items()
            }
        by_digest = {digests[evaluator]: part for evaluator, part in new.items()}
        self.records.metrics |= by_digest
        self._shared.add(by_digest)
        if known and self.console is not None:
            names = ", ".join(known)
            self.console.print(f"reusing the metrics of {describe_subject(name)} for {names}", style="dim")

    def _look_up(self, digests: Mapping[str, str]) -> dict[str, Metrics]:
        """Return the known metrics by evaluator, and add those of other runs to the records."""
        found: dict[str, Metrics] = {}
        for evaluator, digest in digests.items():
            metrics = self.records.metrics.get(digest) or self._shared.find(digest)
            if metrics is not None:
                self.records.metrics[digest] = found[evaluator] = metrics
        return found


def split_by_evaluator(metrics: Mapping[str, float], names: Sequence[str]) -> dict[str, Metrics]:
    """Return the metrics of each evaluator by its name, which begins the names of its metrics."""
    parts: dict[str, Metrics] = {name: {} for name in names}
    for metric, value in metrics.items():
        owner = max((name for name in names if metric.startswith(f"{name}_")), key=len)
        parts[owner][metric] = value
    return parts
