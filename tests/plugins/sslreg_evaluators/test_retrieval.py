"""Retrieval, against scikit-learn's average precision and a search by hand."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import average_precision_score
from torch.nn.functional import normalize

from sslreg_evaluators import retrieval
from sslreg_evaluators.retrieval import Retrieval


@pytest.mark.parametrize("at_a_time", [2**22, 1000])
def test_the_mean_average_precision_is_scikit_learns(blobs, cpu, monkeypatch: pytest.MonkeyPatch, at_a_time) -> None:
    monkeypatch.setattr(retrieval, "_SIMILARITIES", at_a_time)
    reference, test = blobs(300, seed=1), blobs(60, seed=2)
    cosines = normalize(test.features.double()) @ normalize(reference.features.double()).T
    relevant = test.targets[:, None] == reference.targets
    expected = [average_precision_score(*row) for row in zip(relevant.numpy(), cosines.numpy(), strict=True)]

    figures = Retrieval().evaluate(reference, test, cpu)

    assert figures["map"] == pytest.approx(sum(expected) / 60, abs=1e-6)
    ranked = relevant.gather(1, cosines.argsort(dim=1, descending=True))
    for k in (1, 5, 10):
        assert figures[f"recall_{k}"] == pytest.approx(ranked[:, :k].any(dim=1).double().mean().item())


def test_keys_that_are_equally_near_are_taken_together_as_scikit_learn_does(embeddings, cpu) -> None:
    generator = torch.Generator().manual_seed(0)
    corners = torch.eye(4)[torch.randint(4, (200,), generator=generator)]
    reference = embeddings(corners, torch.randint(3, (200,), generator=generator))
    test = embeddings(torch.tensor([[1.0, 0.5, 0.25, 0.0], [0.0, 1.0, 2.0, 3.0]]), torch.tensor([0, 2]))
    cosines = normalize(test.features) @ reference.features.T
    relevant = test.targets[:, None] == reference.targets
    expected = [average_precision_score(*row) for row in zip(relevant.numpy(), cosines.numpy(), strict=True)]
    assert Retrieval().evaluate(reference, test, cpu)["map"] == pytest.approx(sum(expected) / 2, abs=1e-6)


def test_embeddings_that_have_collapsed_find_nothing(embeddings, cpu) -> None:
    alike = embeddings(torch.ones(40, 3), torch.arange(40) % 4)
    figures = Retrieval(recall=[1, 30]).evaluate(alike, alike, cpu)
    assert figures["map"] == pytest.approx(0.25)
    assert figures["recall_1"] == figures["recall_30"] == 0.0


def test_copies_of_one_image_are_found_at_once(embeddings, cpu) -> None:
    reference = embeddings(torch.eye(2).repeat_interleave(5, dim=0), torch.tensor([0] * 5 + [1] * 5))
    figures = Retrieval(recall=[1]).evaluate(reference, embeddings(torch.eye(2), torch.tensor([0, 1])), cpu)
    assert (figures["map"], figures["recall_1"]) == (1.0, 1.0)


def test_queries_without_anything_to_find_are_left_out(embeddings, cpu) -> None:
    reference = embeddings(torch.eye(2), torch.tensor([0, 1]))
    test = embeddings(torch.tensor([[1.0, 0.1], [0.0, 1.0]]), torch.tensor([0, 7]))
    assert Retrieval(recall=[1]).evaluate(reference, test, cpu)["recall_1"] == 1.0
    with pytest.raises(ValueError, match="none of the classes"):
        Retrieval().evaluate(reference, embeddings(torch.eye(2), torch.tensor([8, 9])), cpu)


def test_more_neighbors_than_there_are_is_all_of_them(embeddings, cpu) -> None:
    reference = embeddings(torch.eye(3), torch.tensor([0, 1, 2]))
    assert Retrieval(recall=[10]).evaluate(reference, reference, cpu)["recall_10"] == 1.0
