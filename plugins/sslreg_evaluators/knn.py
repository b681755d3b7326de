"""k-nearest-neighbour classification of embeddings."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import normalize

import sslreg
from sslreg_evaluators._labels import labels_of

#: Test rows compared at a time: bounds the similarities that are held to CHUNK x reference size.
CHUNK = 512


class KNN(sslreg.Evaluator):
    """Weighted k-nearest-neighbour accuracy (arXiv 1805.01978, section 3.4).

    Each of the k reference embeddings most similar to a test sample, by cosine s, gives its class exp(s / temperature).
    Figures: ``top1`` and, for more than five classes, ``top5``: the share of test samples whose class is
    the first, or among the first five. k is cut to the size of the reference set.
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
        labels, truth = labels_of(reference, "reference").to(run.device), labels_of(test, "test").to(run.device)
        keys = normalize(reference.features.to(run.device), dim=1)
        queries = normalize(test.features.to(run.device), dim=1)
        classes = int(max(labels.max(), truth.max())) + 1
        chunks = queries.split(CHUNK)
        ranked = torch.cat([self._votes(chunk, keys, labels, classes).argsort(1, descending=True) for chunk in chunks])
        hits = ranked == truth[:, None]
        figures = {"top1": hits[:, 0].float().mean().item()}
        if classes > 5:
            figures["top5"] = hits[:, :5].any(dim=1).float().mean().item()
        return figures

    def _votes(self, queries: Tensor, keys: Tensor, labels: Tensor, classes: int) -> Tensor:
        """The votes (n, classes) for n queries."""
        similarity, neighbours = (queries @ keys.T).topk(min(self.k, len(keys)), dim=1)
        votes = torch.zeros(len(queries), classes, device=queries.device)
        return votes.scatter_add_(1, labels[neighbours], (similarity / self.temperature).exp())
