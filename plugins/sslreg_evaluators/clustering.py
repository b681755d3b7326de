"""Whether classes are clusters."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from torch.nn.functional import normalize

import sslreg
from sslreg_evaluators._confidence_intervals import RESAMPLES, Floats, percentile_width
from sslreg_evaluators._labels import labels_of


class Clustering(sslreg.Evaluator):
    """k-means on the test embeddings, brought to length 1, with as many clusters as there are classes.

    Of `restarts` starts (k-means++) the tightest is taken. Figures, which compare clusters with classes: ``nmi``, the
    mutual information by the mean of the two entropies, and ``ari``, the Rand index adjusted for chance (Hubert,
    Arabie: Comparing partitions, 1985). Their intervals are from a bootstrap over test samples with the clusters as
    they are. ValueError: the test set has a single class.
    """

    def __init__(self, restarts: Annotated[int, Field(ge=1)] = 5) -> None:
        self.restarts = restarts

    def evaluate(
        self, reference: sslreg.Embeddings, test: sslreg.Embeddings, run: sslreg.EvaluatedRun
    ) -> dict[str, float]:
        classes, truth = np.unique(labels_of(test, "test").numpy(), return_inverse=True)
        if len(classes) < 2:
            raise ValueError("the test set has a single class, and there is nothing to tell apart")
        clusters = self._clusters(normalize(test.features, dim=1).numpy(), len(classes))
        counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
        np.add.at(counts, (clusters, truth), 1)
        generator = np.random.default_rng(0)
        # Samples drawn again fall into the table's cells by these probabilities.
        resampled = generator.multinomial(len(truth), counts.ravel() / len(truth), RESAMPLES).reshape(-1, *counts.shape)
        figures = {}
        for name, measure in (("nmi", normalized_mutual_information), ("ari", adjusted_rand_index)):
            figures[name] = float(measure(counts[None])[0])
            figures[f"{name}_ci"] = percentile_width(measure(resampled))
        return figures

    def _clusters(self, points: NDArray[np.float32], count: int) -> NDArray[np.int32]:
        """The number of the cluster (N,) of each of N points."""
        import warnings

        from sklearn.cluster import KMeans
        from sklearn.exceptions import ConvergenceWarning

        with warnings.catch_warnings():
            # Fewer distinct points than clusters: collapsed embeddings, which the figures tell.
            warnings.simplefilter("ignore", ConvergenceWarning)
            found: NDArray[np.int32] = KMeans(count, n_init=self.restarts, random_state=0).fit_predict(points)
        return found


def normalized_mutual_information(counts: NDArray[np.int64]) -> Floats:
    """Of B tables (B, clusters, classes) of how many samples are in both: (B,), in [0, 1]."""
    joint = counts / counts.sum(axis=(1, 2), keepdims=True)
    entropies = [_entropy(joint.sum(axis=axis)) for axis in (1, 2)]
    mean = (entropies[0] + entropies[1]) / 2
    shared = entropies[0] + entropies[1] - _entropy(joint.reshape(len(joint), -1))
    return np.clip(np.divide(shared, mean, out=np.zeros_like(mean), where=mean > 0), 0.0, 1.0)


def _entropy(probabilities: Floats) -> Floats:
    """Of B distributions (B, K), in nats."""
    logarithms = np.log(probabilities, out=np.zeros_like(probabilities), where=probabilities > 0)
    entropy: Floats = -(probabilities * logarithms).sum(axis=1)
    return entropy


def adjusted_rand_index(counts: NDArray[np.int64]) -> Floats:
    """Of B tables (B, clusters, classes) of how many samples are in both: (B,), 0 by chance, 1 for equal partitions."""
    samples = counts.sum(axis=(1, 2)).astype(np.float64)
    both = _pairs(counts).sum(axis=(1, 2))
    of_clusters, of_classes = (_pairs(counts.sum(axis=axis)).sum(axis=1) for axis in (2, 1))
    by_chance = of_clusters * of_classes / _pairs(samples)
    most = (of_clusters + of_classes) / 2
    return np.divide(both - by_chance, most - by_chance, out=np.zeros_like(both), where=most > by_chance)


def _pairs(counts: NDArray[np.int64] | Floats) -> Floats:
    return np.asarray(counts * (counts - 1.0) / 2, dtype=np.float64)
