"""Finding images of the same class."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import normalize

import sslreg
from sslreg_evaluators._intervals import of_mean, share
from sslreg_evaluators._labels import labels_of
from sslreg_evaluators._neighbors import nearest

#: Cosines that are ranked at a time; each takes some forty bytes on the way.
_RANKED = 2**22


class Retrieval(sslreg.Evaluator):
    """Each test sample is a query, and the reference embeddings are ranked by cosine; those of its class are relevant.

    Figures: ``map``, the mean over the queries of the average precision (the mean, over the relevant ones, of the
    precision at their rank; Manning, Raghavan, Schütze: Introduction to Information Retrieval, section 8.4), and for
    each k of `recall` ``recall_k``, the share of queries with a relevant one among the first k (arXiv 1511.06452,
    section 5). Intervals are over queries: Student's t for map, Wilson's for recall. Queries whose class the
    reference set lacks are left out. ValueError: that is all of them.
    """

    def __init__(
        self,
        recall: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)] = [1, 5, 10],  # noqa: B006
    ) -> None:
        self.recall = list(recall)

    def evaluate(
        self, reference: sslreg.Embeddings, test: sslreg.Embeddings, run: sslreg.EvaluatedRun
    ) -> dict[str, float]:
        labels, truth = labels_of(reference, "reference"), labels_of(test, "test")
        known = torch.isin(truth, labels)
        if not known.any():
            raise ValueError("the reference set has none of the classes of the test set")
        queries, truth = test.features[known], truth[known]
        precision = _average_precision(queries, truth, reference.features, labels, run.device)
        figures = {"map": float(precision.mean()), "map_ci": of_mean(precision.numpy())}
        _, neighbors = nearest(queries, reference.features, min(max(self.recall), len(labels)), run.device)
        relevant = labels[neighbors] == truth[:, None]
        for k in self.recall:
            figures |= share(f"recall_{k}", int(relevant[:, :k].any(dim=1).sum()), len(truth))
        return figures


def _average_precision(queries: Tensor, truth: Tensor, keys: Tensor, labels: Tensor, device: torch.device) -> Tensor:
    """The average precision (N,) of each query, float64 on the CPU."""
    keys, labels = normalize(keys.to(device), dim=1), labels.to(device)
    ranks = torch.arange(1, len(labels) + 1, device=device)
    rows = max(1, _RANKED // len(labels))
    found = []
    for chunk, wanted in zip(queries.split(rows), truth.split(rows), strict=True):
        order = (normalize(chunk.to(device), dim=1) @ keys.T).argsort(dim=1, descending=True)
        relevant = labels[order] == wanted.to(device)[:, None]
        precision = relevant.cumsum(dim=1) / ranks
        found.append(((precision * relevant).sum(dim=1) / relevant.sum(dim=1)).double().cpu())
    return torch.cat(found)
