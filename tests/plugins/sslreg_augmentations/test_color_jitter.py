from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as tv

from sslreg.contracts import SampleKeys
from sslreg_augmentations.color_jitter import CHANGES, ColorJitter, change_levels

SIMCLR: dict[str, Any] = {"brightness": 0.8, "contrast": 0.8, "saturation": 0.8, "hue": 0.2}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("channels", [1, 3])
def test_each_change_is_torchvisions(images: Tensor, name: str, channels: int) -> None:
    images, adjust = images[:, :channels], getattr(tv, f"adjust_{name}")
    factors = torch.linspace(-0.5, 0.5, 8) if name == "hue" else torch.linspace(0.0, 2.0, 8)
    results = change_levels(name, images, factors[:, None, None, None])
    for image, factor, result in zip(images, factors, results, strict=True):
        assert torch.allclose(result, adjust(image, float(factor)), atol=1e-3 if name == "hue" else 1e-4)


def test_hue_of_pure_and_of_gray_colors_is_torchvisions() -> None:
    levels = torch.tensor([0.0, 0.25, 1.0])
    colors = torch.cartesian_prod(levels, levels, levels).T.reshape(1, 3, 3, 9)
    for shift in (-0.5, -1 / 3, -0.1, 0.0, 1 / 6, 0.5):
        result = change_levels("hue", colors, torch.full((1, 1, 1, 1), shift))
        assert torch.allclose(result, tv.adjust_hue(colors, shift), atol=1e-3)


def test_the_order_is_each_samples_own(keys: Callable[[int], SampleKeys], images: Tensor) -> None:
    jitter = ColorJitter(**SIMCLR)
    params = jitter.draw(keys(8), torch.tensor(images.shape[1:]).expand(8, 3))
    assert len({tuple(order) for order in params["order"].tolist()}) > 3
    for row, result in enumerate(jitter.apply(images, params)):
        expected = images[row]
        for change in params["order"][row].tolist():
            name = CHANGES[change]
            expected = getattr(tv, f"adjust_{name}")(expected, float(params[name][row]))
        assert torch.allclose(result, expected, atol=1e-3)


@pytest.mark.parametrize("arguments", [SIMCLR, {"brightness": (0.5, 0.7), "contrast": 1.5, "hue": (-0.1, 0.3)}])
def test_factors_and_orders_are_distributed_as_torchvisions(
    keys: Callable[[int], SampleKeys], shapes: Callable[..., Tensor], arguments: dict[str, Any]
) -> None:
    drawn = ColorJitter(**arguments).draw(keys(2_000), shapes(2_000))
    torch.manual_seed(0)
    reference = v2.ColorJitter(**arguments)
    theirs = [reference.make_params([]) for _ in range(2_000)]
    assert drawn.keys() == {"order", *arguments}
    for name in arguments:
        assert stats.ks_2samp(drawn[name], [one[f"{name}_factor"] for one in theirs]).pvalue > 1e-3
    orders = np.unique(drawn["order"] @ torch.tensor([64, 16, 4, 1]), return_counts=True)[1]
    assert len(orders) == 24
    assert stats.chisquare(orders).pvalue > 1e-3


def test_a_change_that_is_not_asked_for_leaves_the_draws_of_the_others_alone(
    keys: Callable[[int], SampleKeys], shapes: Callable[..., Tensor]
) -> None:
    both = ColorJitter(brightness=0.4, hue=0.1).draw(keys(9), shapes(9))
    assert torch.equal(ColorJitter(hue=0.1).draw(keys(9), shapes(9))["hue"], both["hue"])


def test_brightness_and_contrast_take_any_number_of_channels(
    keys: Callable[[int], SampleKeys], shapes: Callable[..., Tensor]
) -> None:
    images = torch.rand(2, 13, 5, 4)
    result = ColorJitter(contrast=(0.5, 0.5)).apply(
        images, {"order": torch.arange(4).expand(2, 4), "contrast": torch.full((2,), 0.5)}
    )
    assert torch.allclose(result, images / 2 + images.mean(dim=(1, 2, 3), keepdim=True) / 2, atol=1e-6)
    with pytest.raises(ValueError, match="hue and saturation need RGB, and there are images of 13 channels"):
        ColorJitter(**SIMCLR).draw(keys(2), shapes(2, 13))


@pytest.mark.parametrize(
    "arguments", [{"brightness": -0.1}, {"contrast": (1.2, 0.8)}, {"hue": 0.6}, {"hue": (-0.6, 0.0)}]
)
def test_arguments_that_cannot_be_meant_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(arguments))):
        ColorJitter(**arguments)
