"""k-nearest-neighbor classification of embeddings."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

import sslreg
from sslreg_evaluators._labels import labels_of, top_figures
from sslreg_evaluators._neighbors import nearest


class KNN(sslreg.Evaluator):
    """Weighted k-nearest-neighbor accuracy (arXiv 1805.01978, section 3.4).

    Each of the k reference embeddings most similar to a test sample, by cosine s, gives its class exp(s / temperature).
    Figures: ``top1`` and, for more than five classes, ``top5``: the share of test samples whose class is
    the first, or among the first five, with Wilson's interval over test samples. k is cut to the size of the reference
    set.
    """

    def __init__(
        self,
        k: Annotated[int, Field(ge=1)] = 20,
        temperature: Annotated[float, Field(gt=0)] = 0.1,
    ) -> None:
        self.k = k
        self.temperature = temperature

    def evaluate(
        self, reference: sslreg.Embeddings, test: sslreg.Embeddings, run: sslreg.EvaluatedRun
    ) -> dict[str, float]:
        labels, truth = labels_of(reference, "reference"), labels_of(test, "test")
        classes = int(max(labels.max(), truth.max())) + 1
        cosines, neighbors = nearest(test.features, reference.features, min(self.k, len(reference)), run.device)
        return top_figures(self._ranked(cosines, labels[neighbors], classes), truth, classes)

    def _ranked(self, cosines: Tensor, labels: Tensor, classes: int) -> Tensor:
        """The up to five classes (N, 5) with the most votes, in order."""
        votes = torch.zeros(len(cosines), classes)
        votes.scatter_add_(1, labels, (cosines / self.temperature).exp())
        ranked: Tensor = votes.topk(min(5, classes), dim=1).indices
        return ranked
