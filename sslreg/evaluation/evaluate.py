"""Runs evaluators over embeddings, and over the baselines that give their figures a meaning."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from sslreg.assembly import NamedEvaluator, SampleDataset, build_raw_pixels_collate
from sslreg.contracts import Embeddings, Model
from sslreg.evaluation.feature_extraction import Images, Subject
from sslreg.spec import Spec
from sslreg.views import Collate


@dataclass(frozen=True)
class Evaluation:
    """What a run is judged on.

    reference and test are embedded alike, by whatever function is being judged; device: where heavy work is done.
    """

    spec: Spec
    reference: SampleDataset
    test: SampleDataset
    collate: Collate
    device: torch.device

    def of_model(self, model: Model, evaluators: Iterable[NamedEvaluator]) -> dict[str, float]:
        """Figures of a model's features; its train or eval mode is left as it was found."""
        was_training = model.training
        model.eval()
        try:
            subject = self._subject(self.collate, model.embed)
            return self._judge(subject, subject.embeddings(self.reference), subject.embeddings(self.test), evaluators)
        finally:
            model.train(was_training)

    def of_raw_pixels(self, evaluators: Iterable[NamedEvaluator]) -> dict[str, float]:
        """Figures of the pixels themselves, each less its mean over the reference set."""
        subject = self._subject(build_raw_pixels_collate(self.spec), _flat)
        reference, test = subject.embeddings(self.reference), subject.embeddings(self.test)
        subject.mean = reference.features.mean(dim=0)
        for embeddings in (reference, test):
            embeddings.features.sub_(subject.mean)
        return self._judge(subject, reference, test, evaluators)

    def _subject(self, collate: Collate, function: Callable[[Tensor], Tensor]) -> Subject:
        return Subject(collate, function, self.device, self.spec.data.workers, self._images)

    @cached_property
    def _images(self) -> Images:
        return Images(self.test, self.collate)

    def _judge(
        self, subject: Subject, reference: Embeddings, test: Embeddings, evaluators: Iterable[NamedEvaluator]
    ) -> dict[str, float]:
        figures: dict[str, float] = {}
        for named in evaluators:
            try:
                found = named.evaluator.evaluate(reference, test, subject)
            except ValueError as error:
                raise self.spec.error(named.component.path, "cannot-evaluate", f"{named.name}: {error}") from error
            figures.update({f"{named.name}_{metric}": float(value) for metric, value in found.items()})
        return figures


def _flat(images: Tensor) -> Tensor:
    return images.flatten(1)
