import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as tv

from sslreg_augmentations.resize import Resize


@pytest.mark.parametrize("size", [20, 64, (17, 50)])
def test_it_is_torchvisions_resize(images: Tensor, size: int | tuple[int, int]) -> None:
    resize = Resize(size)
    expected = tv.resize(images, [size] if isinstance(size, int) else list(size))
    announced = resize.output_shapes(torch.tensor(images.shape[1:]).expand(8, 3), {})
    assert announced[0].tolist() == list(expected.shape[1:])
    for result, reference in zip(resize.apply(images, {}), expected, strict=True):
        assert torch.allclose(result, reference, atol=1e-4)


def test_the_shorter_side_is_brought_to_the_size() -> None:
    shapes = torch.tensor([[3, 100, 150], [1, 150, 100]])
    assert Resize(50).output_shapes(shapes, {}).tolist() == [[3, 50, 75], [1, 75, 50]]
