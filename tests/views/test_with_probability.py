import pytest
import torch
from torch import Tensor

import sslreg
from sslreg.contracts import SampleKeys
from sslreg.views import WithProbability

SHAPES = torch.tensor([[1, 4, 2]]).expand(2_000, 3)


class Add(sslreg.Augmentation):
    geometry = True

    def draw(self, keys: sslreg.Keys, shapes: Tensor) -> sslreg.Params:
        return {"amount": keys.uniform()}

    def apply(self, images: Tensor, params: sslreg.Params) -> Tensor:
        return images + params["amount"][:, None, None, None]

    def output_shapes(self, shapes: Tensor, params: sslreg.Params) -> Tensor:
        return shapes + torch.tensor([0, 1, 0])

    def for_embedding(self) -> list[sslreg.Augmentation]:
        return [self]


def keys() -> SampleKeys:
    return SampleKeys.of_samples(0, [0] * 2_000, list(range(2_000)))


def test_it_acts_with_its_probability() -> None:
    assert WithProbability(Add(), 0.3).draw(keys(), SHAPES)["applied"].float().mean() == pytest.approx(0.3, abs=0.03)


def test_the_other_draws_as_it_does_alone() -> None:
    assert torch.equal(WithProbability(Add(), 0.3).draw(keys(), SHAPES)["amount"], Add().draw(keys(), SHAPES)["amount"])


def test_only_the_chosen_samples_change() -> None:
    sometimes = WithProbability(Add(), 0.5)
    params = sometimes.draw(keys(), SHAPES)
    result = sometimes.apply(torch.zeros(2_000, 1, 4, 2), params)
    assert isinstance(result, Tensor)
    assert torch.equal(result[:, 0, 0, 0], params["amount"] * params["applied"])


def test_shapes_change_where_it_acts() -> None:
    sometimes = WithProbability(Add(), 0.5)
    params = sometimes.draw(keys(), SHAPES)
    assert torch.equal(sometimes.output_shapes(SHAPES, params)[:, 1], 4 + params["applied"].long())


def test_it_is_what_the_other_is() -> None:
    assert WithProbability(Add(), 0.5).geometry
    assert not WithProbability(Add(), 0.5).ragged


def test_it_counts_for_embedding_only_if_it_always_acts() -> None:
    assert not WithProbability(Add(), 0.5).for_embedding()
    assert len(WithProbability(Add(), 1.0).for_embedding()) == 1


def test_a_probability_is_between_zero_and_one() -> None:
    with pytest.raises(ValueError, match="not 1"):
        WithProbability(Add(), 1.5)
