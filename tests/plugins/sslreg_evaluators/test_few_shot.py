"""Few-shot accuracy, against the figures that the project's reference states for raw pixels of the digits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from sslreg import Embeddings
from sslreg_evaluators.few_shot import FewShot


def test_centered_raw_digits_score_the_published_figures(digits: tuple[Embeddings, Embeddings], cpu) -> None:
    figures = FewShot().evaluate(*digits, cpu)
    assert figures["1"] == pytest.approx(0.667, abs=0.005)
    assert figures["5"] == pytest.approx(0.864, abs=0.005)


def test_a_draw_equals_scikit_learns_nearest_neighbor(digits: tuple[Embeddings, Embeddings], cpu) -> None:
    reference, test = digits
    assert reference.targets is not None
    assert test.targets is not None
    generator = np.random.default_rng(0)
    labels = reference.targets.numpy()
    picked = np.concatenate(
        [generator.choice(np.flatnonzero(labels == label), 3, replace=False) for label in range(10)]
    )
    peer = KNeighborsClassifier(1, metric="cosine").fit(reference.features.numpy()[picked], labels[picked])
    expected = peer.score(test.features.numpy(), test.targets.numpy())

    assert FewShot(shots=[3], draws=1).evaluate(reference, test, cpu)["3"] == pytest.approx(expected, abs=1e-6)


def test_the_interval_covers_other_labels_and_other_test_samples(blobs, cpu) -> None:
    world = blobs(5000, seed=5)
    truth = FewShot(shots=[1], draws=100).evaluate(world, blobs(2000, seed=6), cpu)["1"]
    covered = 0
    for seed in range(40):
        figures = FewShot(shots=[1], draws=20).evaluate(blobs(1000, seed=100 + seed), blobs(100, seed=200 + seed), cpu)
        covered += abs(figures["1"] - truth) <= figures["1_ci"]
    # Binomial(40, 0.95) is below 33 once in a thousand times.
    assert covered >= 33


def test_too_few_samples_of_a_class_are_refused(embeddings, cpu) -> None:
    few = embeddings(torch.eye(3), torch.tensor([0, 0, 1]))
    with pytest.raises(
        ValueError, match="shots: 2 needs that many samples of each class, but a class of the reference set has 1"
    ):
        FewShot(shots=[2]).evaluate(few, few, cpu)
