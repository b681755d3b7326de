from collections.abc import Callable
from typing import Any

import pytest
import torch
from scipy import stats
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as tv

from sslreg.contracts import SampleKeys
from sslreg_augmentations.affine import Affine

ALL: dict[str, Any] = {
    "degrees": 40,
    "translate": (0.2, 0.1),
    "scale": (0.7, 1.4),
    "shear": (-10.0, 20.0, -5.0, 15.0),
}


def theirs(image: Tensor, params: dict[str, Tensor], row: int, interpolation: str) -> Tensor:
    return tv.affine(
        image,
        angle=float(params["angle"][row]),
        translate=params["translate"][row].tolist(),
        scale=float(params["scale"][row]),
        shear=params["shear"][row].tolist(),
        interpolation=interpolation,
    )


def test_it_is_torchvisions_affine(keys: Callable[[int], SampleKeys], images: Tensor) -> None:
    affine = Affine(**ALL, interpolation="bilinear")
    params = affine.draw(keys(8), torch.tensor(images.shape[1:]).expand(8, 3))
    for row, result in enumerate(affine.apply(images, params)):
        assert torch.allclose(result, theirs(images[row], params, row, "bilinear"), atol=1e-4)


def test_nearest_takes_torchvisions_pixels(keys: Callable[[int], SampleKeys], images: Tensor) -> None:
    affine = Affine(**ALL)
    params = affine.draw(keys(8), torch.tensor(images.shape[1:]).expand(8, 3))
    for row, result in enumerate(affine.apply(images, params)):
        # A source that lies midway between two pixels may round either way.
        assert (result == theirs(images[row], params, row, "nearest")).float().mean() > 0.995


@pytest.mark.parametrize("shear", [None, 8.0, (2.0, 10.0), (-10.0, 20.0, -5.0, 15.0)])
def test_params_are_distributed_as_torchvisions(
    keys: Callable[[int], SampleKeys], shapes: Callable[..., Tensor], shear: Any
) -> None:
    arguments = ALL | {"shear": shear}
    drawn = Affine(**arguments).draw(keys(2_000), shapes(2_000))
    torch.manual_seed(0)
    reference = v2.RandomAffine(**arguments)
    params = [reference.make_params([torch.empty(3, 40, 32)]) for _ in range(2_000)]
    for name in ("angle", "scale"):
        assert stats.ks_2samp(drawn[name], [one[name] for one in params]).pvalue > 1e-3
    for name in ("translate", "shear"):
        for axis in (0, 1):
            assert stats.ks_2samp(drawn[name][:, axis], [one[name][axis] for one in params]).pvalue > 1e-3


def test_outside_of_the_image_is_the_fill(images: Tensor) -> None:
    params = {
        "angle": torch.zeros(8),
        "translate": torch.tensor([[10.0, 0.0]]).expand(8, 2),
        "scale": torch.ones(8),
        "shear": torch.zeros(8, 2),
    }
    result = Affine(0.0, fill=0.25, interpolation="bilinear").apply(images, params)
    assert torch.allclose(result[..., :10], torch.tensor(0.25))
    assert torch.allclose(result[..., 10:], images[..., :-10], atol=1e-5)


@pytest.mark.parametrize(
    "arguments",
    [{"degrees": -1.0}, {"degrees": 0, "translate": (2.0, 0.0)}, {"degrees": 0, "scale": (0.0, 1.0)}],
)
def test_arguments_that_cannot_be_meant_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"degrees|translate|scale"):
        Affine(**arguments)
