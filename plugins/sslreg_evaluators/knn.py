"""k-nearest-neighbor classification of embeddings."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

import sslreg
from sslreg_evaluators._average_precision import mean_average_precision
from sslreg_evaluators._classification import require_labels, require_same_kind, top_accuracies

#: The number of test samples whose votes are counted at a time.
_QUERIES = 1024


class KNN(sslreg.Evaluator):
    """Accuracy of weighted k-nearest-neighbor classification (arXiv 1805.01978, section 3.4).

    Each of the k reference embeddings that are most similar to a test sample, with cosine similarity s, votes for its
    class with weight exp(s / temperature). Votes are added in logarithms, so that any temperature works.

    Metrics, the first two with Wilson's interval over test samples:

    * ``top1``: the share of test samples whose class gets the most votes;
    * ``top5``, for more than five classes: the share whose class is among the five with the most votes. If the
      neighbors belong to fewer than five classes, only these count.
    * ``map``, in place of these for samples with several labels: the mean over classes of the average precision, where
      the score of a class is its share of the votes. Its interval comes from a bootstrap over test samples.

    Args:
        k: The number of neighbors, at most the size of the reference set.
        temperature: What similarities are divided by: a lower one weights the nearest neighbors more.
    """

    takes_label_sets = True

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
        several = require_same_kind(labels, targets)
        classes = 0 if several else int(max(labels.max(), targets.max())) + 1
        k = min(self.k, len(reference))
        similarities, neighbors = sslreg.nearest_neighbors(test.features, reference.features, k, device=run.device)
        chunks = zip(torch.split(similarities, _QUERIES), torch.split(neighbors, _QUERIES), strict=True)
        if several:
            scores = [self._share_votes(similar, labels[nearest]) for similar, nearest in chunks]
            return mean_average_precision(torch.cat(scores), targets)
        ranked = [self._rank_classes(similar, labels[nearest], classes) for similar, nearest in chunks]
        return top_accuracies(torch.cat(ranked), targets, classes)

    def _share_votes(self, similarities: Tensor, labels: Tensor) -> Tensor:
        """Return the share (N, C) of the votes of k neighbors (N, k) that each class gets from labels (N, k, C)."""
        votes = (similarities.double() / self.temperature).softmax(dim=1)
        # In single precision, shares of all votes are equal, however their sums were rounded.
        return torch.einsum("nk,nkc->nc", votes, labels.double()).float()

    def _rank_classes(self, similarities: Tensor, labels: Tensor, classes: int) -> Tensor:
        """Return the up to five classes (N, 5) with the most votes, in order; -1 where fewer have votes."""
        logits = similarities.double() / self.temperature
        # exp(logits) may overflow, and so may 1 / exp(logits): each class's largest vote is subtracted first.
        largest = torch.full((len(logits), classes), -torch.inf, dtype=logits.dtype)
        largest.scatter_reduce_(1, labels, logits, "amax")
        votes = torch.zeros_like(largest).scatter_add_(1, labels, (logits - largest.gather(1, labels)).exp())
        best, ranked = (largest + votes.log()).topk(min(5, classes), dim=1)
        return ranked.masked_fill(best == -torch.inf, -1)
