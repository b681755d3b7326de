"""What a backbone promises; see `sslreg.Backbone`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from sslreg.contracts import Backbone
from sslreg.testing.case import Case
from sslreg.testing.checks import check

#: Sides of images, the small one for what has to be computed; some architectures take the usual one alone.
SIZES = (64, 224)


class ParametersWithoutMemory(TorchFunctionMode):
    """Makes the parameters of modules on the meta device; what constructors compute with stays real."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: Iterable[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        elsewhere = {"device": "meta"} if function is torch.empty else {}
        return function(*args, **{**(kwargs or {}), **elsewhere})


#: The size that a component takes and whether it is large, by what was tried: finding out takes a while.
_known: dict[str, tuple[int, bool]] = {}


def size_of(case: Case) -> tuple[int, bool]:
    """The size of images that the backbone takes, and whether it has more parameters than a test should compute with.

    What it says against the last of the sizes is raised, if it takes none.
    """
    key = f"{case.info} {dict(case.parameters)} {case.largest}"
    for size in SIZES if key not in _known else ():
        try:
            backbone = hollow(case, size)
            backbone(images_for(backbone, size))
        except (ValueError, RuntimeError):
            if size == SIZES[-1]:
                raise
            continue
        _known[key] = size, sum(parameter.numel() for parameter in backbone.parameters()) > case.largest
        break
    return _known[key]


def hollow(case: Case, size: int, **facts: Any) -> Backbone:
    """The backbone with parameters that take no memory; only the shapes of what it gives mean anything."""
    with ParametersWithoutMemory():
        backbone: Backbone = case.build(image_size=size, **facts)
    return backbone.to("meta").eval()


def built(case: Case) -> tuple[Backbone, int]:
    """The backbone, and the size of the images that it is made for; hollow if it is large."""
    size, large = size_of(case)
    torch.manual_seed(0)
    return hollow(case, size) if large else case.build(image_size=size).eval(), size


def small_enough(case: Case) -> tuple[Backbone, int]:
    if size_of(case)[1]:
        case.skip(f"more than {case.largest:,.0f} parameters are much for a test")
    return built(case)


def device_of(backbone: Backbone) -> str:
    return next((parameter.device.type for parameter in backbone.parameters()), "cpu")


def images_for(backbone: Backbone, size: int, count: int = 2) -> Tensor:
    if device_of(backbone) == "meta":
        return torch.empty(count, 3, size, size, device="meta")
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0))


@check("backbone")
def gives_as_many_features_as_it_says(case: Case) -> None:
    backbone, size = built(case)
    assert isinstance(backbone, Backbone)
    assert backbone(images_for(backbone, size)).shape == (2, backbone.num_features)


@check("backbone")
def takes_the_channels_of_the_run(case: Case) -> None:
    size, _ = size_of(case)
    backbone = hollow(case, size, in_channels=1)
    features = backbone(torch.empty(2, 1, size, size, device="meta"))
    assert features.shape == (2, backbone.num_features), "take Annotated[int, sslreg.FromRun('in_channels')]"


@check("backbone")
def trains(case: Case) -> None:
    backbone, size = small_enough(case)
    backbone.train()(images_for(backbone, size, 4)).square().sum().backward()
    gradients = [parameter.grad for parameter in backbone.parameters() if parameter.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)


@check("backbone")
def embeds_each_image_by_itself(case: Case) -> None:
    backbone, size = small_enough(case)
    images = images_for(backbone, size, 3)
    with torch.no_grad():
        torch.testing.assert_close(backbone(images)[:1], backbone(images[:1]), atol=1e-4, rtol=1e-3)


@check("backbone")
def survives_a_checkpoint(case: Case) -> None:
    backbone, size = small_enough(case)
    again = case.build(image_size=size).eval()
    again.load_state_dict(backbone.state_dict())
    images = images_for(backbone, size)
    with torch.no_grad():
        torch.testing.assert_close(again(images), backbone(images))
