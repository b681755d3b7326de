"""Retrieval of images of the same class."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor
from torch.nn.functional import normalize

import sslreg
from sslreg_evaluators._classification import require_labels
from sslreg_evaluators._confidence_intervals import mean_interval, proportion

#: The number of similarities that are computed at a time. Each takes about twelve bytes.
_SIMILARITIES = 2**22

Floats = NDArray[np.float32]


class Retrieval(sslreg.Evaluator):
    """Retrieval by cosine similarity: each test sample is a query, and the reference embeddings are ranked.

    The reference embeddings of the query's class are relevant. One that is exactly as near as a relevant one is ranked
    before it. Queries whose class the reference set lacks are left out.

    Metrics:

    * ``map``, the mean average precision: the mean over the queries of the mean, over the relevant embeddings, of the
      precision at their rank (Manning, Raghavan, Schütze: Introduction to Information Retrieval, section 8.4), with
      Student's t interval over queries;
    * ``recall_k`` for each k of `recall`: the share of queries with a relevant embedding among the first k (arXiv
      1511.06452, section 5), with Wilson's interval over queries.

    Args:
        recall: The numbers k.

    Raises:
        ValueError: The reference set has none of the test set's classes.
    """

    def __init__(
        self,
        recall: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)] = [1, 5, 10],  # noqa: B006
    ) -> None:
        self.recall = list(recall)

    def evaluate(
        self, reference: sslreg.Embeddings, test: sslreg.Embeddings, run: sslreg.EvaluatedRun
    ) -> dict[str, float]:
        labels, targets = require_labels(reference, "reference"), require_labels(test, "test")
        known = torch.isin(targets, labels)
        if not known.any():
            raise ValueError("the reference set has none of the classes of the test set")
        queries, targets = test.features[known], targets[known]
        precision, first = _rank(queries, targets, reference.features, labels, run.device)
        metrics = {"map": float(precision.mean()), "map_ci": mean_interval(precision)}
        for k in self.recall:
            metrics |= proportion(f"recall_{k}", int((first <= k).sum()), len(targets))
        return metrics


def _rank(
    queries: Tensor, targets: Tensor, keys: Tensor, labels: Tensor, device: torch.device
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the average precision (N,) of each query, and the rank (N,), from 1, of the first key of its class.

    Keys that are equally near get the last of their ranks, so that equal similarities earn nothing.
    """
    keys = normalize(keys.to(device), dim=1)
    members = {label: np.flatnonzero(labels.numpy() == label) for label in torch.unique(targets).tolist()}
    rows = max(1, _SIMILARITIES // len(labels))
    precision, first = [], []
    for chunk, chunk_targets in zip(torch.split(queries, rows), torch.split(targets, rows), strict=True):
        similarities = normalize(chunk.to(device), dim=1) @ keys.T
        ranked = zip(similarities.cpu().numpy(), _sort(similarities), chunk_targets.tolist(), strict=True)
        for row, ascending, label in ranked:
            relevant = np.sort(row[members[label]])
            # For each relevant key, how many of all keys and of the relevant ones are at least as near.
            ranks, hits = (len(values) - np.searchsorted(values, relevant) for values in (ascending, relevant))
            precision.append((hits / ranks).mean())
            first.append(ranks[-1] - hits[-1] + 1)
    return np.array(precision), np.array(first)


def _sort(values: Tensor) -> Floats:
    """Return rows (N, M) in ascending order, on the CPU."""
    if values.device.type == "cpu":
        # Several times as fast as torch, which moves the columns' indices too.
        return np.sort(values.numpy(), axis=1)
    ascending: Floats = values.sort(dim=1).values.cpu().numpy()
    return ascending
