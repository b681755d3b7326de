"""Evaluates the baselines with which a trained model is compared: raw pixels and the untrained model."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from sslreg.assembly import NamedEvaluator, build_raw_pixels_collate
from sslreg.contracts import Model
from sslreg.evaluation.evaluate import Evaluation


def evaluate_baselines(
    evaluation: Evaluation, untrained: Model, evaluators: Iterable[NamedEvaluator]
) -> dict[str, dict[str, float]]:
    """Return the metrics of both baselines, under ``raw_pixels`` and ``untrained``."""
    evaluators = list(evaluators)
    return {
        "raw_pixels": evaluate_raw_pixels(evaluation, evaluators),
        "untrained": evaluation.evaluate_model(untrained, evaluators),
    }


def evaluate_raw_pixels(evaluation: Evaluation, evaluators: Iterable[NamedEvaluator]) -> dict[str, float]:
    """Return the metrics of pixels as features, centered by their means over the reference set."""
    extractor = evaluation.extractor(build_raw_pixels_collate(evaluation.spec), _flatten)
    reference, test = extractor.embeddings(evaluation.reference), extractor.embeddings(evaluation.test)
    extractor.mean = reference.features.mean(dim=0)
    for embeddings in (reference, test):
        embeddings.features.sub_(extractor.mean)
    return evaluation.run_evaluators(extractor, reference, test, evaluators)


def _flatten(images: Tensor) -> Tensor:
    return images.flatten(1)
