"""Accuracy by the number of labels, compared with scikit-learn's logistic regression and with `linear`."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from sslreg import Embeddings
from sslreg_evaluators.label_efficiency import LabelEfficiency
from sslreg_evaluators.linear import Linear


def test_a_draw_equals_scikit_learns_logistic_regression(digits: tuple[Embeddings, Embeddings], cpu) -> None:
    reference, test = digits
    labels = reference.targets.numpy()
    generator = np.random.default_rng(0)
    picked = np.concatenate([generator.permutation(np.flatnonzero(labels == label))[:5] for label in range(10)])
    scaler = StandardScaler().fit(reference.features.double().numpy())
    peer = LogisticRegression(C=0.1, max_iter=200)
    peer.fit(scaler.transform(reference.features.double().numpy())[picked], labels[picked])
    expected = peer.score(scaler.transform(test.features.double().numpy()), test.targets.numpy())

    figures = LabelEfficiency(labels=[5], draws=1).evaluate(reference, test, cpu)

    assert figures["5"] == pytest.approx(expected, abs=1 / 449)


def test_accuracy_rises_to_that_of_the_linear_classifier(digits: tuple[Embeddings, Embeddings], cpu) -> None:
    figures = LabelEfficiency(labels=[50, 1, 10], draws=3).evaluate(*digits, cpu)
    assert list(figures) == ["1", "1_ci", "10", "10_ci", "50", "50_ci", "all", "all_ci"]
    assert figures["1"] + 0.2 < figures["10"] < figures["50"] < figures["all"]
    linear = Linear().evaluate(*digits, cpu)
    assert (figures["all"], figures["all_ci"]) == (linear["top1"], linear["top1_ci"])


def test_every_subject_gets_the_same_labels(blobs, embeddings, cpu) -> None:
    reference, test = blobs(100, seed=1), blobs(50, seed=2)
    mirrored = [embeddings(-part.features, part.targets) for part in (reference, test)]
    evaluator = LabelEfficiency(labels=[1, 2], draws=3)
    assert evaluator.evaluate(*mirrored, cpu) == pytest.approx(evaluator.evaluate(reference, test, cpu))


def test_a_small_class_contributes_all_of_its_samples(embeddings, cpu) -> None:
    targets = torch.tensor([0] * 20 + [1] * 4)
    reference = embeddings(torch.eye(2)[targets] + 0.01 * torch.arange(24)[:, None], targets)
    figures = LabelEfficiency(labels=[2, 10, 20, 50], draws=2).evaluate(reference, reference, cpu)
    assert list(figures) == ["2", "2_ci", "10", "10_ci", "all", "all_ci"]
    assert figures["10"] == 1.0


def test_the_interval_covers_other_labels_and_other_test_samples(blobs, cpu) -> None:
    world = blobs(3000, seed=5, classes=3)
    truth = LabelEfficiency(labels=[2], draws=60).evaluate(world, blobs(1000, seed=6, classes=3), cpu)["2"]
    covered = 0
    for seed in range(20):
        sets = blobs(200, seed=100 + seed, classes=3), blobs(100, seed=200 + seed, classes=3)
        figures = LabelEfficiency(labels=[2], draws=5).evaluate(*sets, cpu)
        covered += abs(figures["2"] - truth) <= figures["2_ci"]
    # Binomial(20, 0.95) is below 15 once in a thousand times.
    assert covered >= 15


def test_a_single_class_is_refused(embeddings, cpu) -> None:
    few = embeddings(torch.eye(4), torch.zeros(4, dtype=torch.int64))
    with pytest.raises(ValueError, match="a single class"):
        LabelEfficiency().evaluate(few, few, cpu)
