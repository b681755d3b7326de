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
from sslreg_evaluators._confidence_intervals import Z, standard_error
from sslreg_evaluators._labels import labels_of


class FewShot(sslreg.Evaluator):
    """Accuracy of the nearest labeled embedding by cosine, with few labels per class.

    For each number of `shots`, so many reference samples per class are drawn without replacement, `draws` times over,
    from numpy's ``default_rng(0)`` (classes in ascending order within a draw); a test sample gets the class of
    the nearest one. A figure is named by its shots (``few_shot_1``) and is the mean over the draws. Its interval covers
    both which labels were drawn and which samples were tested: with hits x of draw d and sample s, the variance of the
    mean is at most var(mean over s) / draws + var(mean over d) / samples. ValueError: a class has fewer reference
    samples than shots.
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
        labels, truth = labels_of(reference, "reference"), labels_of(test, "test")
        members = [np.flatnonzero(labels.numpy() == label) for label in labels.unique()]
        keys = normalize(reference.features.to(run.device), dim=1)
        queries = normalize(test.features.to(run.device), dim=1)
        figures: dict[str, float] = {}
        for shots in self.shots:
            hits = self._hits(shots, members, keys, labels, queries, truth).numpy()
            error = math.hypot(standard_error(hits.mean(axis=1)), standard_error(hits.mean(axis=0)))
            figures |= {str(shots): float(hits.mean()), f"{shots}_ci": Z * error}
        return figures

    def _hits(
        self, shots: int, members: list[np.ndarray], keys: Tensor, labels: Tensor, queries: Tensor, truth: Tensor
    ) -> Tensor:
        """Whether (draws, N), 0 or 1 in float64, each draw classifies each of N test samples rightly."""
        smallest = min(len(indices) for indices in members)
        if smallest < shots:
            raise ValueError(f"{shots} labels per class are asked for, but a class of the reference set has {smallest}")
        generator = np.random.default_rng(0)
        hits = torch.empty(self.draws, len(queries), dtype=torch.float64)
        for draw in range(self.draws):
            picked = np.concatenate([generator.choice(indices, shots, replace=False) for indices in members])
            chosen = torch.from_numpy(picked)
            nearest = (queries @ keys[chosen.to(keys.device)].T).argmax(dim=1).cpu()
            hits[draw] = labels[chosen][nearest] == truth
        return hits
