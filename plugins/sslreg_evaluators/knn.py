"""k-nearest-neighbor classification of embeddings."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

import sslreg
from sslreg_evaluators._classification import require_labels, top_accuracies


class KNN(sslreg.Evaluator):
    """Accuracy of weighted k-nearest-neighbor classification (arXiv 1805.01978, section 3.4).

    Each of the k reference embeddings that are most similar to a test sample, with cosine similarity s, votes for its
    class with weight exp(s / temperature).

    Metrics: ``top1`` and, for more than five classes, ``top5``: the share of test samples whose class gets the most
    votes, or is among the first five, with Wilson's interval over test samples.

    Args:
        k: The number of neighbors, at most the size of the reference set.
        temperature: What similarities are divided by: a lower one weights the nearest neighbors more.
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
        labels, targets = require_labels(reference, "reference"), require_labels(test, "test")
        classes = int(max(labels.max(), targets.max())) + 1
        k = min(self.k, len(reference))
        similarities, neighbors = sslreg.nearest_neighbors(test.features, reference.features, k, device=run.device)
        return top_accuracies(self._rank_classes(similarities, labels[neighbors], classes), targets, classes)

    def _rank_classes(self, similarities: Tensor, labels: Tensor, classes: int) -> Tensor:
        """Return the up to five classes (N, 5) with the most votes, in order."""
        votes = torch.zeros(len(similarities), classes)
        votes.scatter_add_(1, labels, (similarities / self.temperature).exp())
        ranked: Tensor = votes.topk(min(5, classes), dim=1).indices
        return ranked
