from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as tv

from sslreg.contracts import SampleKeys
from sslreg_augmentations.grayscale import Grayscale


@pytest.mark.parametrize("channels", [1, 3])
def test_it_is_torchvisions_in_as_many_channels(images: Tensor, channels: int) -> None:
    images = images[:, :channels]
    expected = tv.rgb_to_grayscale(images, num_output_channels=channels)
    assert torch.allclose(Grayscale().apply(images, {}), expected, atol=1e-4)


def test_other_numbers_of_channels_are_refused(
    keys: Callable[[int], SampleKeys], shapes: Callable[..., Tensor]
) -> None:
    with pytest.raises(ValueError, match="13 channels"):
        Grayscale().draw(keys(2), shapes(2, 13))
