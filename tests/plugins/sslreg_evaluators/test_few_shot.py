"""Few-shot accuracy, against the figures that the project's reference states for raw pixels of the digits."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from sslreg import Embeddings
from sslreg_evaluators.few_shot import FewShot

CPU = SimpleNamespace(device=torch.device("cpu"))


def embeddings(features: np.ndarray, targets: np.ndarray) -> Embeddings:
    number = torch.arange(len(features))
    return Embeddings(
        torch.from_numpy(features).float(), torch.from_numpy(targets).long(), number, [""] * len(features)
    )


@pytest.fixture(scope="module")
def digits() -> tuple[Embeddings, Embeddings]:
    data = load_digits()
    order = np.random.default_rng(0).permutation(1797)
    train, test = order[: -(1797 // 4)], order[-(1797 // 4) :]
    pixels = data.data - data.data[train].mean(axis=0)
    return embeddings(pixels[train], data.target[train]), embeddings(pixels[test], data.target[test])


def test_centered_raw_digits_score_the_published_figures(digits: tuple[Embeddings, Embeddings]) -> None:
    figures = FewShot().evaluate(*digits, CPU)
    assert figures["1"] == pytest.approx(0.667, abs=0.005)
    assert figures["5"] == pytest.approx(0.864, abs=0.005)


def test_a_draw_equals_scikit_learns_nearest_neighbour(digits: tuple[Embeddings, Embeddings]) -> None:
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

    assert FewShot(shots=[3], draws=1).evaluate(reference, test, CPU)["3"] == pytest.approx(expected, abs=1e-6)


def test_too_few_samples_of_a_class_are_refused() -> None:
    few = embeddings(np.eye(3), np.array([0, 0, 1]))
    with pytest.raises(ValueError, match="2 labels per class are asked for, but a class of the reference set has 1"):
        FewShot(shots=[2]).evaluate(few, few, CPU)
