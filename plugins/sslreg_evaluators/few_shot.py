"""Classification from a few labels per class."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import normalize

import sslreg
from sslreg_evaluators._classification import require_labels
from sslreg_evaluators._confidence_intervals import Z, standard_error


class FewShot(sslreg.Evaluator):
    """Accuracy of the nearest labeled embedding, by cosine similarity, with few labels per class.

    For each number of `shots`, that many reference samples of each class are drawn without replacement, `draws` times,
    by numpy's ``default_rng(0)`` (classes in ascending order within a draw). A test sample gets the class of the
    nearest one.

    Metrics: one for each number of shots (``few_shot_1``), the mean over the draws. Its interval covers both which
    labels were drawn and which samples were tested: with hits x of draw d and sample s, the variance of the mean is at
    most var(mean over s) / draws + var(mean over d) / samples.

    Args:
        shots: The numbers of labeled samples of each class.
        draws: How often the labeled samples are drawn.

    Raises:
        ValueError: A class has fewer reference samples than shots.
    """

    def __init__(
        self,
        shots: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)] = [1, 5],  # noqa: B006 - never changed
        draws: Annotated[int, Field(ge=1)] = 100,
    ) -> None:
        self.shots = list(shots)
        self.draws = draws

    def evaluate(
        self, reference: sslreg.Embeddings, test: sslreg.Embeddings, run: sslreg.EvaluatedRun
    ) -> dict[str, float]:
        labels, targets = require_labels(reference, "reference"), require_labels(test, "test")
        members = [np.flatnonzero(labels.numpy() == label) for label in torch.unique(labels).numpy()]
        keys = normalize(reference.features.to(run.device), dim=1)
        queries = normalize(test.features.to(run.device), dim=1)
        metrics: dict[str, float] = {}
        for shots in self.shots:
            hits = self._find_hits(shots, members, keys, labels, queries, targets).numpy()
            error = math.hypot(standard_error(hits.mean(axis=1)), standard_error(hits.mean(axis=0)))
            metrics |= {str(shots): float(hits.mean()), f"{shots}_ci": Z * error}
        return metrics

    def _find_hits(
        self, shots: int, members: list[np.ndarray], keys: Tensor, labels: Tensor, queries: Tensor, targets: Tensor
    ) -> Tensor:
        """Return whether each draw classifies each of N test samples correctly: (draws, N), 0 or 1 in float64."""
        smallest = min(len(indices) for indices in members)
        if smallest < shots:
            raise ValueError(
                f"shots: {shots} needs that many samples of each class, but a class of the reference set has {smallest}"
            )
        generator = np.random.default_rng(0)
        hits = torch.empty(self.draws, len(queries), dtype=torch.float64)
        for draw in range(self.draws):
            chosen = np.concatenate([generator.choice(indices, shots, replace=False) for indices in members])
            rows = torch.from_numpy(chosen)
            _, nearest = sslreg.nearest_neighbors(queries, keys[rows.to(keys.device)], 1, metric="dot")
            hits[draw] = labels[rows][nearest[:, 0].cpu()] == targets
        return hits
