"""Clustering, against scikit-learn's figures of the same clusters."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from torch.nn.functional import normalize

from sslreg_evaluators.clustering import Clustering, adjusted_rand_index, normalized_mutual_information


def table(clusters: np.ndarray, classes: np.ndarray) -> np.ndarray:
    counts = np.zeros((clusters.max() + 1, classes.max() + 1), dtype=np.int64)
    np.add.at(counts, (clusters, classes), 1)
    return counts


@pytest.mark.parametrize("seed", range(4))
def test_the_figures_of_a_table_are_scikit_learns(seed: int) -> None:
    generator = np.random.default_rng(seed)
    classes = generator.integers(0, 5, 400)
    clusters = np.where(generator.random(400) < 0.2 * seed, generator.integers(0, 7, 400), classes)
    counts = table(clusters, classes)
    nmi = normalized_mutual_information(counts[None])[0]
    assert nmi == pytest.approx(normalized_mutual_info_score(classes, clusters), abs=1e-9)
    assert adjusted_rand_index(counts[None])[0] == pytest.approx(adjusted_rand_score(classes, clusters), abs=1e-9)


def test_a_single_cluster_tells_nothing() -> None:
    counts = table(np.zeros(6, dtype=int), np.array([0, 0, 1, 1, 2, 2]))[None]
    assert normalized_mutual_information(counts)[0] == 0.0
    assert adjusted_rand_index(counts)[0] == 0.0


def test_clusters_are_those_of_k_means_on_unit_length(blobs, cpu) -> None:
    test = blobs(300, seed=1, classes=4, spread=0.5)
    clusters = KMeans(4, n_init=5, random_state=0).fit_predict(normalize(test.features).numpy())
    figures = Clustering().evaluate(test, test, cpu)
    assert figures["ari"] == pytest.approx(adjusted_rand_score(test.targets.numpy(), clusters), abs=1e-9)
    assert 0 < figures["nmi_ci"] < 0.1


def test_collapsed_embeddings_are_judged_without_a_warning(embeddings, cpu) -> None:
    figures = Clustering().evaluate(None, embeddings(torch.ones(20, 3), torch.arange(20) % 2), cpu)
    assert figures["nmi"] == pytest.approx(0.0, abs=1e-9)


def test_a_single_class_is_refused(embeddings, cpu) -> None:
    with pytest.raises(ValueError, match="a single class"):
        Clustering().evaluate(None, embeddings(torch.eye(3), torch.zeros(3, dtype=torch.int64)), cpu)
