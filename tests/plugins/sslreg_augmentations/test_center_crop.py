from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as tv

from sslreg.contracts import SampleKeys
from sslreg_augmentations.center_crop import CenterCrop


@pytest.mark.parametrize("size", [20, (39, 31), (40, 32), (1, 2)])
def test_it_is_torchvisions_center_crop(images: Tensor, size: int | tuple[int, int]) -> None:
    crop = CenterCrop(size)
    for result, image in zip(crop.apply(images, {}), images, strict=True):
        assert torch.equal(result, tv.center_crop(image, list(crop.size)))


def test_an_image_that_is_too_small_is_refused(keys: Callable[[int], SampleKeys]) -> None:
    with pytest.raises(ValueError, match="20 × 30 is smaller than the crop of 24 × 24"):
        CenterCrop(24).draw(keys(2), torch.tensor([[3, 30, 30], [3, 20, 40]]))
