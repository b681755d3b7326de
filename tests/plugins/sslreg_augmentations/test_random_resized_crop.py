import math
from collections.abc import Callable

import pytest
import torch
from scipy import stats
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as tv

from sslreg.contracts import SampleKeys
from sslreg_augmentations.center_crop import CenterCrop
from sslreg_augmentations.random_resized_crop import RandomResizedCrop
from sslreg_augmentations.resize import Resize

Keys = Callable[[int], SampleKeys]
Shapes = Callable[..., Tensor]


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "nearest", "nearest-exact"])
@pytest.mark.parametrize("size", [16, (50, 20)])
def test_it_is_torchvisions_resized_crop(
    keys: Keys, images: Tensor, size: int | tuple[int, int], interpolation: str
) -> None:
    crop = RandomResizedCrop(size, interpolation=interpolation)  # type: ignore[arg-type]
    params = crop.draw(keys(8), torch.tensor(images.shape[1:]).expand(8, 3))
    for row, result in enumerate(crop.apply(images, params)):
        part = {name: int(values[row]) for name, values in params.items()}
        expected = tv.resized_crop(images[row], **part, size=list(crop.size), interpolation=interpolation)
        assert torch.allclose(result, expected.clamp(0, 1), atol=1e-4)


@pytest.mark.parametrize(
    ("height", "width", "scale"), [(40, 32, (0.08, 1.0)), (20, 90, (0.2, 1.0)), (8, 8, (0.5, 1.0))]
)
def test_parts_are_distributed_as_torchvisions(
    keys: Keys, shapes: Shapes, height: int, width: int, scale: tuple[float, float]
) -> None:
    drawn = RandomResizedCrop(16, scale=scale).draw(keys(3_000), shapes(3_000, 3, height, width))
    torch.manual_seed(0)
    reference, image = v2.RandomResizedCrop(16, scale=scale), torch.empty(3, height, width)
    theirs = [reference.make_params([image]) for _ in range(3_000)]
    for name in ("top", "left", "height", "width"):
        assert stats.ks_2samp(drawn[name], [one[name] for one in theirs]).pvalue > 1e-3


def test_a_part_lies_in_the_image_and_has_an_allowed_area_and_ratio(keys: Keys, shapes: Shapes) -> None:
    drawn = RandomResizedCrop(16, scale=(0.2, 0.6)).draw(keys(2_000), shapes(2_000, 3, 300, 200))
    height, width = drawn["height"], drawn["width"]
    assert (drawn["top"] >= 0).all()
    assert (drawn["top"] + height <= 300).all()
    assert (drawn["left"] + width <= 200).all()
    assert (height * width).amin() / 60_000 > 0.19
    assert (height * width).amax() / 60_000 < 0.61
    assert (width / height).amin() > 0.73
    assert (width / height).amax() < 1.36


@pytest.mark.parametrize(("height", "width", "part"), [(10, 400, (10, 13)), (400, 10, (13, 10)), (1, 1, (1, 1))])
def test_where_no_draw_fits_the_largest_centered_part_is_taken(
    keys: Keys, shapes: Shapes, height: int, width: int, part: tuple[int, int]
) -> None:
    drawn = RandomResizedCrop(16, scale=(0.9, 1.0)).draw(keys(1), shapes(1, 3, height, width))
    assert (int(drawn["height"]), int(drawn["width"])) == part
    assert int(drawn["top"]) == (height - part[0]) // 2
    assert int(drawn["left"]) == (width - part[1]) // 2


def test_embedding_shows_the_middle() -> None:
    resize, crop = RandomResizedCrop(224).for_embedding()
    assert isinstance(resize, Resize)
    assert isinstance(crop, CenterCrop)
    assert (resize.size, crop.size) == (256, (224, 224))
    assert RandomResizedCrop(32).for_embedding()[0].size == 32  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 0}, "size 0"),
        ({"size": 8, "scale": (0.5, 0.1)}, "scale runs from 0.5 to 0.1"),
        ({"size": 8, "ratio": (0.0, 1.0)}, "above zero"),
    ],
)
def test_arguments_that_cannot_be_meant_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RandomResizedCrop(**arguments)  # type: ignore[arg-type]


def test_log_ratio_is_uniform(keys: Keys, shapes: Shapes) -> None:
    drawn = RandomResizedCrop(16, scale=(0.1, 0.3)).draw(keys(3_000), shapes(3_000, 3, 4_000, 4_000))
    log_ratio = (drawn["width"] / drawn["height"]).log()
    assert stats.kstest(log_ratio, stats.uniform(math.log(3 / 4), 2 * math.log(4 / 3)).cdf).pvalue > 1e-3
