import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as tv

from sslreg_augmentations.horizontal_flip import HorizontalFlip
from sslreg_augmentations.vertical_flip import VerticalFlip


def test_they_are_torchvisions(images: Tensor) -> None:
    assert torch.equal(HorizontalFlip().apply(images, {}), tv.horizontal_flip(images))
    assert torch.equal(VerticalFlip().apply(images, {}), tv.vertical_flip(images))
