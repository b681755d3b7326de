import math
from collections.abc import Callable

import pytest
import torch
from scipy import stats
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as tv

from sslreg.contracts import SampleKeys
from sslreg_augmentations.gaussian_blur import GaussianBlur


def test_it_is_torchvisions_with_a_kernel_of_three_deviations(
    keys: Callable[[int], SampleKeys], images: Tensor
) -> None:
    blur = GaussianBlur((0.1, 4.0))
    params = blur.draw(keys(8), torch.tensor(images.shape[1:]).expand(8, 3))
    for row, result in enumerate(blur.apply(images, params)):
        sigma = float(params["sigma"][row])
        expected = tv.gaussian_blur(images[row], [2 * math.ceil(3 * sigma) + 1] * 2, [sigma] * 2)
        assert torch.allclose(result, expected, atol=1e-4)


def test_a_kernel_larger_than_the_image_is_cut_to_it() -> None:
    image = torch.rand(1, 1, 5, 9, generator=torch.Generator().manual_seed(0))
    result = GaussianBlur(6.0).apply(image, {"sigma": torch.tensor([6.0])})
    assert torch.allclose(result, tv.gaussian_blur(image, [17, 9], [6.0, 6.0]), atol=1e-4)


def test_deviations_are_distributed_as_torchvisions(
    keys: Callable[[int], SampleKeys], shapes: Callable[..., Tensor]
) -> None:
    torch.manual_seed(0)
    reference = v2.GaussianBlur(23, (0.1, 2.0))
    theirs = [reference.make_params([])["sigma"][0] for _ in range(2_000)]
    assert stats.ks_2samp(GaussianBlur((0.1, 2.0)).draw(keys(2_000), shapes(2_000))["sigma"], theirs).pvalue > 1e-3


@pytest.mark.parametrize("sigma", [0.0, (0.0, 1.0), (2.0, 1.0), -1.0])
def test_a_deviation_is_positive(sigma: float | tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="sigma"):
        GaussianBlur(sigma)
