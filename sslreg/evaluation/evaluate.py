"""Runs evaluators on the features of a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from sslreg.assembly import NamedEvaluator, SampleDataset
from sslreg.contracts import Embeddings, Model
from sslreg.evaluation.feature_extraction import EvaluationImages, FeatureExtractor
from sslreg.spec import Spec
from sslreg.views import Collate


@dataclass(frozen=True)
class Evaluation:
    """The data on which features are evaluated.

    Attributes:
        spec: the spec, for the locations of errors.
        reference: the data set on which evaluators fit.
        test: the data set on which evaluators test.
        collate: makes the view that is embedded.
        device: where features are computed.
    """

    spec: Spec
    reference: SampleDataset
    test: SampleDataset
    collate: Collate
    device: torch.device

    def evaluate_model(self, model: Model, evaluators: Iterable[NamedEvaluator]) -> dict[str, float]:
        """Return the metrics of a model's features. The model is in eval mode meanwhile.

        Raises:
            UserError: an evaluator cannot evaluate the data.
        """
        was_training = model.training
        model.eval()
        try:
            extractor = self.extractor(self.collate, model.embed)
            reference, test = extractor.embeddings(self.reference), extractor.embeddings(self.test)
            return self.run_evaluators(extractor, reference, test, evaluators)
        finally:
            model.train(was_training)

    def extractor(self, collate: Collate, function: Callable[[Tensor], Tensor]) -> FeatureExtractor:
        """Return an extractor of the features that `function` computes of the views of `collate`."""
        return FeatureExtractor(collate, function, self.device, self.spec.data.workers, self._images)

    @cached_property
    def _images(self) -> EvaluationImages:
        return EvaluationImages(self.test, self.collate)

    def run_evaluators(
        self,
        extractor: FeatureExtractor,
        reference: Embeddings,
        test: Embeddings,
        evaluators: Iterable[NamedEvaluator],
    ) -> dict[str, float]:
        """Return the metrics of all evaluators, prefixed by their names."""
        metrics: dict[str, float] = {}
        for entry in evaluators:
            try:
                values = entry.evaluator.evaluate(reference, test, extractor)
            except ValueError as error:
                raise self.spec.error(entry.component.path, "cannot-evaluate", f"{entry.name}: {error}") from error
            metrics.update({f"{entry.name}_{metric}": float(value) for metric, value in values.items()})
        return metrics
