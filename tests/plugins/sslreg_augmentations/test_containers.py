from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

import sslreg
from sslreg.contracts import SampleKeys
from sslreg.views import WithProbability
from sslreg_augmentations.center_crop import CenterCrop
from sslreg_augmentations.one_of import OneOf
from sslreg_augmentations.random_apply import RandomApply
from sslreg_augmentations.random_order import RandomOrder
from sslreg_augmentations.rotate90 import Rotate90
from sslreg_augmentations.solarize import Solarize

Keys = Callable[[int], SampleKeys]
Shapes = Callable[..., Tensor]


class Step(sslreg.Augmentation):
    """Multiplies and adds, so that the order shows; draws, so that the draws show."""

    def __init__(self, factor: float, term: float) -> None:
        self.factor, self.term = factor, term

    def draw(self, keys: sslreg.Keys, shapes: Tensor) -> sslreg.Params:
        return {"noise": keys.uniform(0, 1e-3)}

    def apply(self, images: Tensor, params: sslreg.Params) -> Tensor:
        return images * self.factor + self.term + params["noise"][:, None, None, None]


A, B = Step(0.5, 0.1), Step(0.25, 0.3)


def test_one_of_chooses_by_weight(keys: Keys, shapes: Shapes) -> None:
    choice = OneOf([A, B, A], [1.0, 0.0, 3.0]).draw(keys(4_000), shapes(4_000))["choice"]
    counts = torch.bincount(choice, minlength=3)
    assert counts[1] == 0
    assert stats.chisquare(counts[[0, 2]], [1_000, 3_000]).pvalue > 1e-3
    equal = OneOf([A, B, A]).draw(keys(4_000), shapes(4_000))["choice"]
    assert stats.chisquare(np.bincount(equal)).pvalue > 1e-3


def test_one_of_applies_what_it_chose(keys: Keys, shapes: Shapes, images: Tensor) -> None:
    one_of = OneOf([A, B])
    params = one_of.draw(keys(8), shapes(8))
    for row, result in enumerate(one_of.apply(images, params)):
        chosen = int(params["choice"][row])
        alone = (A, B)[chosen].apply(images[row : row + 1], {"noise": params[f"{chosen}.noise"][row : row + 1]})
        assert torch.equal(result, alone[0])


def test_random_apply_is_its_parts_in_order(keys: Keys, shapes: Shapes, images: Tensor) -> None:
    both = RandomApply([A, B])
    params = both.draw(keys(8), shapes(8))
    expected = B.apply(A.apply(images, {"noise": params["0.noise"]}), {"noise": params["1.noise"]})
    assert torch.equal(both.apply(images, params), expected)  # type: ignore[arg-type]
    assert not torch.equal(params["0.noise"], params["1.noise"])


def test_random_apply_stands_for_its_parts_when_embedding() -> None:
    assert [type(one) for one in RandomApply([Solarize(), A, CenterCrop(8)]).for_embedding()] == [Solarize, CenterCrop]


def test_random_order_has_every_order(keys: Keys, shapes: Shapes, images: Tensor) -> None:
    random_order = RandomOrder([A, B])
    orders = random_order.draw(keys(2_000), shapes(2_000))["order"]
    assert orders[:, 0].float().mean() == pytest.approx(0.5, abs=0.05)
    params = random_order.draw(keys(8), shapes(8))
    noise = [params["0.noise"][:, None, None, None], params["1.noise"][:, None, None, None]]
    first_a = (images * 0.5 + 0.1 + noise[0]) * 0.25 + 0.3 + noise[1]
    first_b = (images * 0.25 + 0.3 + noise[1]) * 0.5 + 0.1 + noise[0]
    expected = torch.where(params["order"][:, 0, None, None, None] == 0, first_a, first_b)
    assert torch.allclose(random_order.apply(images, params), expected)  # type: ignore[arg-type]


@pytest.mark.parametrize("container", [OneOf, RandomApply, RandomOrder])
def test_parts_may_change_shapes(keys: Keys, container: type[sslreg.Augmentation]) -> None:
    whole = container([Rotate90(), CenterCrop((6, 4)), WithProbability(Rotate90(), 0.5)])  # type: ignore[call-arg]
    images = [torch.rand(3, 9, 7), torch.rand(3, 8, 12), torch.rand(3, 7, 7)] * 5
    shapes = torch.tensor([image.shape for image in images])
    params = whole.draw(keys(15), shapes)
    results = whole.apply(images, params)
    assert [list(result.shape) for result in results] == whole.output_shapes(shapes, params).tolist()


def test_a_container_is_geometry_if_all_of_it_is() -> None:
    assert OneOf([Rotate90(), CenterCrop(2)]).geometry
    assert not OneOf([Rotate90(), A]).geometry


@pytest.mark.parametrize("container", [OneOf, RandomApply, RandomOrder])
def test_an_empty_list_is_refused(container: type[sslreg.Augmentation]) -> None:
    with pytest.raises(ValueError, match="empty"):
        container([])  # type: ignore[call-arg]


@pytest.mark.parametrize("weights", [[1.0], [0.0, 0.0], [-1.0, 2.0]])
def test_weights_that_cannot_be_meant_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weights"):
        OneOf([A, B], weights)
