"""The weighted vote, against lightly's and on cases small enough to do by hand."""

from __future__ import annotations

import decimal
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

    # lightly orders classes without votes arbitrarily.
    assert figures["top1"] == pytest.approx(expected["top1"], abs=1e-6)
    if k >= 200:
        assert figures["top5"] == pytest.approx(expected["top5"], abs=1e-6)


def test_k_larger_than_the_reference_set_uses_all_of_it(embeddings, cpu) -> None:
    reference = embeddings(torch.eye(3), torch.tensor([0, 1, 2]))
    assert KNN(k=50).evaluate(reference, reference, cpu)["top1"] == 1.0


def test_nearer_neighbors_outvote_more_numerous_ones(embeddings, cpu) -> None:
    reference = embeddings(torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]), torch.tensor([0, 1, 1]))
    test = embeddings(torch.tensor([[1.0, 0.1]]), torch.tensor([0]))
    assert KNN(k=3).evaluate(reference, test, cpu)["top1"] == 1.0


def test_missing_labels_are_named(embeddings, cpu) -> None:
    labeled = embeddings(torch.eye(2), torch.tensor([0, 1]))
    with pytest.raises(ValueError, match=r"reference set has no labels.*data\.reference"):
        KNN().evaluate(embeddings(torch.eye(2), None), labeled, cpu)


def exact_hits(reference, test, k: int, temperature: float, first: int) -> float:
    """Return the share of test samples whose class is among the first, computed with 60 digits."""
    context = decimal.Context(prec=60, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN)
    unit = [torch.nn.functional.normalize(each.features.double(), dim=1) for each in (reference, test)]
    similarities, neighbors = (unit[1] @ unit[0].T).topk(k, dim=1)
    hits = 0
    for row, chosen, target in zip(similarities.tolist(), neighbors, test.targets.tolist(), strict=True):
        votes: dict[int, decimal.Decimal] = {}
        for similarity, label in zip(row, reference.targets[chosen].tolist(), strict=True):
            weight = context.exp(decimal.Decimal(similarity / temperature))
            votes[label] = context.add(votes.get(label, decimal.Decimal(0)), weight)
        hits += target in sorted(votes, key=votes.__getitem__, reverse=True)[:first]
    return hits / len(test)


@pytest.mark.parametrize("temperature", [1.0, 0.1, 0.02, 0.01, 0.001, 1e-5])
@pytest.mark.parametrize("k", [3, 20])
def test_votes_are_exact_at_every_temperature(blobs, cpu, temperature: float, k: int) -> None:
    reference, test = blobs(300, seed=1), blobs(200, seed=2)
    metrics = KNN(k=k, temperature=temperature).evaluate(reference, test, cpu)
    assert metrics["top1"] == exact_hits(reference, test, k, temperature, first=1)
    assert metrics["top5"] == exact_hits(reference, test, k, temperature, first=5)


@pytest.mark.parametrize("temperature", [0.01, 0.001])
def test_a_sample_of_the_reference_set_gets_its_class_at_a_small_temperature(digits, cpu, temperature: float) -> None:
    reference, _ = digits
    assert KNN(temperature=temperature).evaluate(reference, reference, cpu)["top1"] == 1.0


def test_only_classes_of_neighbors_count_as_the_first_five(embeddings, cpu) -> None:
    reference = embeddings(torch.eye(8), torch.arange(8))
    test = embeddings(torch.eye(8)[:1].expand(8, 8) + 0.1 * torch.eye(8), torch.arange(8))
    assert KNN(k=1).evaluate(reference, test, cpu)["top5"] == 1 / 8
    # Two votes each: the class of the first and, where it differs, that of the sample.
    assert KNN(k=2).evaluate(reference, test, cpu)["top5"] == 1.0


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_opposite_embeddings_vote_too(embeddings, cpu, scale: float) -> None:
    """At a small temperature their weights are too small for a floating-point number."""
    reference = embeddings(-scale * torch.eye(6), torch.arange(6))
    test = embeddings(torch.eye(6), torch.arange(6))
    metrics = KNN(k=6, temperature=1e-4).evaluate(reference, test, cpu)
    assert (metrics["top1"], metrics["top5"]) == (0.0, 0.0)  # the five other classes are nearer
