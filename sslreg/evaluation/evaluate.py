"""Runs evaluators on the features of a model."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from sslreg.assembly import NamedEvaluator, SampleDataset, blame_components
from sslreg.contracts import Embeddings, Model
from sslreg.errors import UserError, type_name
from sslreg.evaluation.feature_extraction import EvaluationImages, FeatureExtractor
from sslreg.evaluation.progress import EvaluationProgress
from sslreg.spec import Spec
from sslreg.views import Collate


@dataclass
class Evaluation:
    """The data on which features are evaluated.

    Attributes:
        spec: the spec, for the locations of errors.
        reference: the data set on which evaluators fit.
        test: the data set on which evaluators test.
        collate: makes the view that is embedded.
        device: where features are computed.
        progress: shows how far an evaluation is.
        compute_checksum: whether to compute `checksum`, which takes about a millisecond per photograph.
        checksum: a checksum of the images of the embedding view that a model got, and of their labels.
    """

    spec: Spec
    reference: SampleDataset
    test: SampleDataset
    collate: Collate
    device: torch.device
    progress: EvaluationProgress = field(default_factory=EvaluationProgress)
    compute_checksum: bool = False
    checksum: int | None = None

    def evaluate_model(self, model: Model, evaluators: Iterable[NamedEvaluator]) -> dict[str, float]:
        """Return the metrics of a model's features. The model is in eval mode meanwhile.

        Raises:
            UserError: an evaluator cannot evaluate the data.
            SslregError: the code of the model or of an evaluator raises something else.
        """
        was_training = model.training
        model.eval()
        try:
            extractor = self.extractor(self.collate, model.embed)
            with blame_components(self.spec):
                reference, test = self.embed_sets(extractor)
            return self.run_evaluators(extractor, reference, test, evaluators)
        finally:
            model.train(was_training)

    def extractor(self, collate: Collate, function: Callable[[Tensor], Tensor]) -> FeatureExtractor:
        """Return an extractor of the features that `function` computes of the views of `collate`."""
        return FeatureExtractor(collate, function, self.device, self.spec.data.workers, self._images)

    def embed_sets(self, extractor: FeatureExtractor) -> tuple[Embeddings, Embeddings]:
        """Embed the reference set and the test set."""
        function, total = extractor.function, len(self.reference) + len(self.test)
        checksum = done = 0

        def observe(images: Tensor) -> Tensor:
            nonlocal checksum, done
            if self.compute_checksum:
                checksum = checksum_tensor(images, checksum)
            features = function(images)
            done += len(images)
            self.progress.report("embedding images", done, total)
            return features

        self.progress.report("embedding images", 0, total)
        extractor.function = observe
        try:
            reference, test = extractor.embeddings(self.reference), extractor.embeddings(self.test)
        finally:
            extractor.function = function
        if self.compute_checksum:
            columns = (column for part in (reference, test) for column in (part.targets, part.indices))
            for column in columns:
                checksum = checksum if column is None else checksum_tensor(column, checksum)
            self.checksum = checksum
        return reference, test

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
        evaluators = list(evaluators)
        for number, entry in enumerate(evaluators):
            self.progress.report(entry.name, number, len(evaluators))
            try:
                with blame_components(self.spec, allowed=ValueError):
                    values = entry.evaluator.evaluate(reference, test, extractor)
            except ValueError as error:
                raise self.spec.error(entry.component.path, "cannot-evaluate", f"{entry.name}: {error}") from error
            metrics.update({f"{entry.name}_{metric}": value for metric, value in self._read_metrics(entry, values)})
        return metrics

    def _read_metrics(self, entry: NamedEvaluator, values: Any) -> list[tuple[str, float]]:
        """Return the names and values of metrics. Raises UserError if an evaluator returned something else."""
        if not isinstance(values, Mapping):
            raise self._broken_evaluator(entry, f"a {type_name(values)}")
        metrics = []
        for metric, value in values.items():
            try:
                if isinstance(value, str):
                    raise TypeError
                metrics.append((str(metric), float(value)))
            except (TypeError, ValueError, RuntimeError) as error:
                raise self._broken_evaluator(entry, f"a {type_name(value)} under {str(metric)!r}") from error
        return metrics

    def _broken_evaluator(self, entry: NamedEvaluator, returned: str) -> UserError:
        return self.spec.error(
            entry.component.path,
            "broken-component",
            f"{entry.component.info}: evaluate returned {returned}",
            "return the value of each metric by its name, as a dict of floats",
        )


def checksum_tensor(tensor: Tensor, start: int = 0) -> int:
    """Return the CRC-32 of a tensor's bytes, continued from that of the tensors before it."""
    return zlib.crc32(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data, start)
