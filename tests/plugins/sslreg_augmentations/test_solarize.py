import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as tv

from sslreg_augmentations.solarize import Solarize


@pytest.mark.parametrize("threshold", [0.0, 0.4, 128 / 255, 1.0])
def test_it_is_torchvisions(images: Tensor, threshold: float) -> None:
    assert torch.equal(Solarize(threshold).apply(images, {}), tv.solarize(images, threshold))
