"""Agreement of clusters with classes."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from torch.nn.functional import normalize

import sslreg
from sslreg_evaluators._classification import require_labels
from sslreg_evaluators._confidence_intervals import RESAMPLES, Floats, percentile_interval


class Clustering(sslreg.Evaluator):
    """k-means on the test embeddings, scaled to length 1, with as many clusters as there are classes.

    Metrics, which compare clusters with classes:

    * ``nmi``, the mutual information divided by the mean of the two entropies;
    * ``ari``, the Rand index adjusted for chance (Hubert, Arabie: Comparing partitions, 1985).

    Their intervals come from a bootstrap over test samples with fixed clusters.

    Args:
        restarts: How often k-means starts (k-means++); the tightest result counts.

    Raises:
        ValueError: The test set has a single class.
    """

    def __init__(self, restarts: Annotated[int, Field(ge=1)] = 5) -> None:
        self.restarts = restarts

    def evaluate(
        self, reference: sslreg.Embeddings, test: sslreg.Embeddings, run: sslreg.EvaluatedRun
    ) -> dict[str, float]:
        classes, targets = np.unique(require_labels(test, "test").numpy(), return_inverse=True)
        if len(classes) < 2:
            raise ValueError("the test set has a single class, so there is nothing to tell apart")
        clusters = self._cluster(normalize(test.features, dim=1).numpy(), len(classes))
        counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
        np.add.at(counts, (clusters, targets), 1)
        generator = np.random.default_rng(0)
        # Resampled samples fall into the cells of the table with these probabilities.
        cells = counts.ravel() / len(targets)
        resampled = generator.multinomial(len(targets), cells, RESAMPLES).reshape(-1, *counts.shape)
        metrics = {}
        for name, measure in (("nmi", normalized_mutual_information), ("ari", adjusted_rand_index)):
            metrics[name] = float(measure(counts[None])[0])
            metrics[f"{name}_ci"] = percentile_interval(measure(resampled))
        return metrics

    def _cluster(self, points: NDArray[np.float32], count: int) -> NDArray[np.int32]:
        """Return the cluster (N,) of each of N points."""
        import warnings

        from sklearn.cluster import KMeans
        from sklearn.exceptions import ConvergenceWarning

        with warnings.catch_warnings():
            # Fewer distinct points than clusters: the embeddings have collapsed, which the metrics show.
            warnings.simplefilter("ignore", ConvergenceWarning)
            clusters: NDArray[np.int32] = KMeans(count, n_init=self.restarts, random_state=0).fit_predict(points)
        return clusters


def normalized_mutual_information(counts: NDArray[np.int64]) -> Floats:
    """Return the normalized mutual information (B,), in [0, 1], of B tables of counts (B, clusters, classes)."""
    joint = counts / counts.sum(axis=(1, 2), keepdims=True)
    entropies = [_entropy(joint.sum(axis=axis)) for axis in (1, 2)]
    mean = (entropies[0] + entropies[1]) / 2
    shared = entropies[0] + entropies[1] - _entropy(joint.reshape(len(joint), -1))
    return np.clip(np.divide(shared, mean, out=np.zeros_like(mean), where=mean > 0), 0.0, 1.0)


def _entropy(probabilities: Floats) -> Floats:
    """Return the entropy (B,), in nats, of B distributions (B, K)."""
    logarithms = np.log(probabilities, out=np.zeros_like(probabilities), where=probabilities > 0)
    entropy: Floats = -(probabilities * logarithms).sum(axis=1)
    return entropy


def adjusted_rand_index(counts: NDArray[np.int64]) -> Floats:
    """Return the adjusted Rand index (B,) of B tables of counts (B, clusters, classes): 0 by chance, 1 at best."""
    samples = counts.sum(axis=(1, 2)).astype(np.float64)
    in_both = _count_pairs(counts).sum(axis=(1, 2))
    in_clusters, in_classes = (_count_pairs(counts.sum(axis=axis)).sum(axis=1) for axis in (2, 1))
    by_chance = in_clusters * in_classes / _count_pairs(samples)
    most = (in_clusters + in_classes) / 2
    index: Floats = np.divide(in_both - by_chance, most - by_chance, out=np.zeros_like(in_both), where=most > by_chance)
    return index


def _count_pairs(counts: NDArray[np.int64] | Floats) -> Floats:
    return np.asarray(counts * (counts - 1.0) / 2, dtype=np.float64)
