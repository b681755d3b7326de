import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as tv

from sslreg_augmentations._resampling import Interpolation
from sslreg_augmentations.center_crop import CenterCrop
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


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "nearest"])
@pytest.mark.parametrize("tall", [False, True])
def test_before_a_crop_only_what_it_shows_is_resized(tall: bool, interpolation: Interpolation) -> None:
    """The whole image would have 300 million pixels at a length of 6,000, and 100 billion at two million."""
    fused = Resize(224, interpolation).fuse_with(CenterCrop(224))
    assert fused is not None
    for length in (6_000, 2_000_001):
        image = torch.linspace(0, 1, length).reshape((1, length, 1) if tall else (1, 1, length))
        (result,) = fused.apply([image], {})
        assert result.shape == (1, 224, 224)
        # Each pixel of the image becomes 224 of the result, linearly interpolated between their centers.
        start = round((224 * length - 224) / 2)
        at = (start + torch.arange(224, dtype=torch.float64) + 0.5) / 224 - 0.5
        expected = at / (length - 1)
        line = (result[0, :, 0] if tall else result[0, 0]).double()
        assert (line - expected).abs().max() < (0.6 if interpolation == "nearest" else 0.2) / (length - 1) + 1e-6


@pytest.mark.parametrize("shape", [(3, 20, 319), (3, 20, 401), (3, 900, 23), (1, 7, 3000)])
def test_a_long_image_is_cropped_like_after_resizing_all_of_it(shape: tuple[int, int, int]) -> None:
    steps = torch.linspace(0, 1, shape[1])[:, None] + torch.linspace(0, 1, shape[2])
    image = (steps / 2).expand(shape).contiguous()
    fused = Resize(32).fuse_with(CenterCrop((24, 32)))
    assert fused is not None
    (whole,) = Resize(32).apply([image], {})
    (expected,) = CenterCrop((24, 32)).apply([whole], {})
    (result,) = fused.apply([image], {})
    # The crop may be shifted by half a pixel, over which the levels change by less than one percent.
    assert (result - expected).abs().max() < 0.01
