"""The weighted vote, against lightly's and on cases small enough to do by hand."""

from __future__ import annotations

import warnings

import pytest
import torch

from sslreg_evaluators.knn import KNN


@pytest.mark.parametrize("k", [1, 20, 200])
def test_predictions_are_lightlys(blobs, cpu, k: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lightly.utils.benchmarking.knn import knn_predict
    reference, test = blobs(900, seed=1), blobs(700, seed=2)
    bank = torch.nn.functional.normalize(reference.features, dim=1).T
    query = torch.nn.functional.normalize(test.features, dim=1)
    ranked = knn_predict(query, bank, reference.targets, num_classes=10, knn_k=k, knn_t=0.1)
    hits = ranked == test.targets[:, None]
    expected = {"top1": hits[:, 0].float().mean().item(), "top5": hits[:, :5].any(1).float().mean().item()}

    figures = KNN(k=k).evaluate(reference, test, cpu)

    # Where fewer than five classes got votes, the rest of the order is arbitrary on both sides.
    assert figures["top1"] == pytest.approx(expected["top1"], abs=1e-6)
    if k >= 200:
        assert figures["top5"] == pytest.approx(expected["top5"], abs=1e-6)


def test_k_larger_than_the_reference_set_uses_all_of_it(embeddings, cpu) -> None:
    reference = embeddings(torch.eye(3), torch.tensor([0, 1, 2]))
    assert KNN(k=50).evaluate(reference, reference, cpu)["top1"] == 1.0


def test_nearer_neighbours_outvote_more_numerous_ones(embeddings, cpu) -> None:
    reference = embeddings(torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]), torch.tensor([0, 1, 1]))
    test = embeddings(torch.tensor([[1.0, 0.1]]), torch.tensor([0]))
    assert KNN(k=3).evaluate(reference, test, cpu)["top1"] == 1.0


def test_missing_labels_are_named(embeddings, cpu) -> None:
    labeled = embeddings(torch.eye(2), torch.tensor([0, 1]))
    with pytest.raises(ValueError, match=r"reference set has no labels.*data\.reference"):
        KNN().evaluate(embeddings(torch.eye(2), None), labeled, cpu)
