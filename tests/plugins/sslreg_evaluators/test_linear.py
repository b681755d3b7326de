"""The linear probe, against scikit-learn's, and its two solvers against each other."""

from __future__ import annotations

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sslreg import Embeddings
from sslreg_evaluators import _linear_lbfgs
from sslreg_evaluators.linear import Linear


def test_without_a_choice_it_is_scikit_learns_on_standardized_features(
    digits: tuple[Embeddings, Embeddings], cpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference, test = digits
    monkeypatch.setattr(_linear_lbfgs, "PENALTIES", (0.05,))
    peer = make_pipeline(StandardScaler(), LogisticRegression(C=0.05, max_iter=200))
    peer.fit(reference.features.double().numpy(), reference.targets.numpy())
    expected = peer.score(test.features.double().numpy(), test.targets.numpy())
    assert Linear().evaluate(reference, test, cpu)["top1"] == pytest.approx(expected, abs=1 / 449)


def test_gradient_descent_reaches_what_convergence_does(blobs, cpu) -> None:
    reference, test = blobs(3000, seed=1), blobs(2000, seed=2)
    found = {solver: Linear(solver=solver, epochs=20).evaluate(reference, test, cpu) for solver in ("lbfgs", "sgd")}
    assert found["sgd"]["top1"] == pytest.approx(found["lbfgs"]["top1"], abs=0.02)
    assert found["sgd"]["top5"] == pytest.approx(found["lbfgs"]["top5"], abs=0.02)
    assert found["lbfgs"]["top1"] > 0.6


def test_a_penalty_is_chosen_that_suits_the_data(embeddings, cpu) -> None:
    generator = torch.Generator().manual_seed(0)
    targets = torch.arange(120) % 2
    noise = torch.randn(120, 200, generator=generator)
    features = noise + (2.0 * targets[:, None] - 1) * 0.25
    chosen = Linear().evaluate(embeddings(features[:60], targets[:60]), embeddings(features[60:], targets[60:]), cpu)
    assert chosen["top1"] > 0.85


def test_gradient_descent_draws_nothing_from_the_trainings_generator(blobs, cpu) -> None:
    before = torch.get_rng_state()
    Linear(solver="sgd", epochs=2).evaluate(blobs(100, seed=1), blobs(50, seed=2), cpu)
    assert torch.equal(torch.get_rng_state(), before)


def test_classes_keep_their_numbers(embeddings, cpu) -> None:
    reference = embeddings(torch.eye(2).repeat(10, 1), torch.tensor([3, 9]).repeat(10))
    test = embeddings(torch.eye(2), torch.tensor([3, 9]))
    for solver in ("lbfgs", "sgd"):
        assert Linear(solver=solver).evaluate(reference, test, cpu)["top1"] == 1.0


def test_constant_features_do_no_harm(blobs, embeddings, cpu) -> None:
    reference = blobs(200, seed=1)
    padded = embeddings(torch.cat([reference.features, torch.full((200, 1), 7.0)], dim=1), reference.targets)
    for solver in ("lbfgs", "sgd"):
        assert Linear(solver=solver, epochs=5).evaluate(padded, padded, cpu)["top1"] > 0.5


@pytest.mark.parametrize(
    ("targets", "message"),
    [([0, 0, 0, 0], "a single class"), ([0, 1, 2, 3], "no class of the reference set has three")],
)
def test_what_cannot_be_fitted_is_refused(embeddings, cpu, targets: list[int], message: str) -> None:
    few = embeddings(torch.eye(4), torch.tensor(targets))
    with pytest.raises(ValueError, match=message):
        Linear().evaluate(few, few, cpu)
