"""Mean average precision of several labels, compared with scikit-learn."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

import sslreg
from sslreg_evaluators._average_precision import mean_average_precision, rate_scores


def draw(samples: int, classes: int, decimals: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return scores, rounded so that some are equal, and labels that they predict a little."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.rand(samples, classes, generator=generator) < torch.linspace(0.05, 0.6, classes)
    scores = torch.randn(samples, classes, generator=generator, dtype=torch.float64) + labels
    return scores.round(decimals=decimals), labels


@pytest.mark.parametrize("decimals", [0, 1, 8])
@pytest.mark.parametrize("samples", [1, 2, 40, 500])
def test_it_is_that_of_scikit_learn(samples: int, decimals: int) -> None:
    for seed in range(5):
        scores, labels = draw(samples, 6, decimals, seed)
        known = labels.any(dim=0)
        if not known.any():
            continue
        expected = average_precision_score(labels[:, known].numpy(), scores[:, known].numpy(), average="macro")
        metrics = mean_average_precision(scores, labels)
        assert metrics["map"] == pytest.approx(expected, abs=1e-6)
        assert metrics["map"] == rate_scores(scores, labels)


def test_its_interval_is_that_of_resampled_test_sets() -> None:
    scores, labels = draw(200, 3, 1, 0)
    generator = np.random.default_rng(1)
    resampled = []
    for _ in range(100):
        rows = torch.from_numpy(generator.integers(0, 200, 200))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            resampled.append(average_precision_score(labels[rows].numpy(), scores[rows].numpy(), average="macro"))
    assert mean_average_precision(scores, labels)["map_ci"] == pytest.approx(1.96 * np.std(resampled), rel=0.35)


def test_perfect_scores_have_one_and_random_ones_the_share_of_positives() -> None:
    scores, labels = draw(4000, 4, 8, 0)
    assert mean_average_precision(labels.double(), labels)["map"] == 1.0
    noise = torch.rand(4000, 4, generator=torch.Generator().manual_seed(1))
    metrics = mean_average_precision(noise, labels)
    assert abs(metrics["map"] - float(labels.double().mean())) < 3 * metrics["map_ci"]
    with pytest.raises(ValueError, match="no sample of the test set has a label"):
        mean_average_precision(scores, torch.zeros_like(labels))
    assert rate_scores(scores, torch.zeros_like(labels)) == 0.0


def make(samples: int, seed: int) -> sslreg.Embeddings:
    """Return embeddings whose first three coordinates tell, with noise, which of three labels a sample has."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.rand(samples, 3, generator=generator) < torch.tensor([0.5, 0.3, 0.2])
    features = torch.cat([labels.float(), torch.zeros(samples, 5)], dim=1)
    features += 0.3 * torch.randn(samples, 8, generator=generator)
    names = [str(row) for row in range(samples)]
    return sslreg.Embeddings(features, labels, torch.arange(samples), names)


@pytest.mark.parametrize(
    "parameters",
    [
        {"use": "knn", "k": 5},
        {"use": "linear", "solver": "lbfgs"},
        {"use": "linear", "solver": "sgd"},
    ],
)
def test_evaluators_of_several_labels_find_what_embeddings_hold(parameters: dict) -> None:
    class Run:
        device = torch.device("cpu")

    parameters = dict(parameters)
    evaluator = sslreg.build("evaluator", parameters.pop("use"), **parameters)
    reference, test = make(120, 0), make(100, 1)
    metrics = evaluator.evaluate(reference, test, Run())
    assert set(metrics) == {"map", "map_ci"}
    assert metrics["map"] > 0.85
    assert test.targets is not None
    shuffled = test.targets[torch.randperm(100, generator=torch.Generator().manual_seed(0))]
    unrelated = sslreg.Embeddings(test.features, shuffled, test.indices, test.names)
    assert evaluator.evaluate(reference, unrelated, Run())["map"] < 0.6


def test_knn_scores_are_shares_of_votes() -> None:
    class Run:
        device = torch.device("cpu")

    reference, test = make(100, 0), make(60, 1)
    assert reference.targets is not None
    assert test.targets is not None
    similar, nearest = sslreg.nearest_neighbors(test.features, reference.features, 5)
    scores = ((similar.double() / 0.1).softmax(dim=1)[..., None] * reference.targets[nearest]).sum(dim=1).float()
    expected = average_precision_score(test.targets.numpy(), scores.numpy(), average="macro")
    metrics = sslreg.build("evaluator", "knn", k=5).evaluate(reference, test, Run())
    assert metrics["map"] == pytest.approx(expected, abs=1e-6)


def test_linear_is_scikit_learns_logistic_regression_of_each_class() -> None:
    from sklearn.linear_model import LogisticRegression

    from sslreg_evaluators._linear_classifier import fit_linear, hold_out

    reference, test = make(60, 0), make(30, 1)
    assert reference.targets is not None
    predict = fit_linear(reference.features, reference.targets, hold_out(60), "lbfgs", 1, torch.device("cpu"))
    scores = predict(test.features)
    deviation, mean = torch.std_mean(reference.features, dim=0)
    scaled = [((each.features - mean) / deviation).double().numpy() for each in (reference, test)]
    candidates = [
        LogisticRegression(C=penalty, max_iter=200)
        .fit(scaled[0], reference.targets[:, 1].numpy())
        .decision_function(scaled[1])
        for penalty in (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
    ]
    assert min(np.abs(scores[:, 1].numpy() - each).max() for each in candidates) < 1e-6


def test_sets_with_different_labels_are_refused() -> None:
    class Run:
        device = torch.device("cpu")

    single = sslreg.Embeddings(make(50, 0).features, torch.arange(50) % 3, torch.arange(50), [""] * 50)
    for name in ("knn", "linear"):
        with pytest.raises(ValueError, match="different kinds or numbers of labels"):
            sslreg.build("evaluator", name).evaluate(make(50, 0), single, Run())
