"""Finding images of the same class."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor
from torch.nn.functional import normalize

import sslreg
from sslreg_evaluators._confidence_intervals import of_mean, share
from sslreg_evaluators._labels import labels_of

#: Cosines that are made at a time; each takes some twelve bytes on the way.
_COSINES = 2**22

Floats = NDArray[np.float32]


class Retrieval(sslreg.Evaluator):
    """Each test sample is a query, and the reference embeddings are ranked by cosine; those of its class are relevant.

    Figures: ``map``, the mean over the queries of the average precision (the mean, over the relevant ones, of the
    precision at their rank; Manning, Raghavan, Schütze: Introduction to Information Retrieval, section 8.4), and for
    each k of `recall` ``recall_k``, the share of queries with a relevant one among the first k (arXiv 1511.06452,
    section 5). Intervals are over queries: Student's t for map, Wilson's for recall. What is exactly as near as a
    relevant one comes before it. Queries whose class the reference set lacks are left out. ValueError: that is all of
    them.
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
        precision, first = _ranks(queries, truth, reference.features, labels, run.device)
        figures = {"map": float(precision.mean()), "map_ci": of_mean(precision)}
        for k in self.recall:
            figures |= share(f"recall_{k}", int((first <= k).sum()), len(truth))
        return figures


def _ranks(
    queries: Tensor, truth: Tensor, keys: Tensor, labels: Tensor, device: torch.device
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The average precision (N,) of each query, and the rank (N,), from 1, of the first key of its class.

    Keys that are equally near have the last of their ranks, so that a row of equal cosines earns nothing.
    """
    keys = normalize(keys.to(device), dim=1)
    members = {label: np.flatnonzero(labels.numpy() == label) for label in truth.unique().tolist()}
    rows = max(1, _COSINES // len(labels))
    precision, first = [], []
    for chunk, wanted in zip(queries.split(rows), truth.split(rows), strict=True):
        cosines = normalize(chunk.to(device), dim=1) @ keys.T
        for row, ranked, label in zip(cosines.cpu().numpy(), _sorted(cosines), wanted.tolist(), strict=True):
            relevant = np.sort(row[members[label]])
            before = [len(each) - np.searchsorted(each, relevant) for each in (ranked, relevant)]
            precision.append((before[1] / before[0]).mean())
            first.append(before[0][-1] - before[1][-1] + 1)
    return np.array(precision), np.array(first)


def _sorted(values: Tensor) -> Floats:
    """Rows (N, M), each ascending, on the CPU."""
    if values.device.type == "cpu":
        # Several times as fast as torch, which moves the columns' numbers too.
        return np.sort(values.numpy(), axis=1)
    ranked: Floats = values.sort(dim=1).values.cpu().numpy()
    return ranked
