"""The checks of backbones; see `sslreg.Backbone`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from sslreg.contracts import Backbone, PatchBackbone
from sslreg.testing.case import Case
from sslreg.testing.checks import check

#: The sides of images to try. The small one is faster; some architectures take only the usual one.
SIZES = (64, 224)


class ParametersWithoutMemory(TorchFunctionMode):
    """Creates the parameters of modules on the meta device. Other tensors of constructors stay real."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: Iterable[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        device = {"device": "meta"} if function is torch.empty else {}
        return function(*args, **{**(kwargs or {}), **device})


#: The image size that a component takes and whether it is large, by component. Finding out takes a while.
_sizes: dict[str, tuple[int, bool]] = {}


def find_size(case: Case) -> tuple[int, bool]:
    """Return the image size that the backbone takes, and whether it has more parameters than a test computes with.

    If it takes none of `SIZES`, the error for the last one is raised.
    """
    key = f"{case.info} {dict(case.parameters)} {case.largest}"
    for size in SIZES if key not in _sizes else ():
        try:
            backbone = build_without_memory(case, size)
            backbone(make_images(backbone, size))
        except (ValueError, RuntimeError):
            if size == SIZES[-1]:
                raise
            continue
        _sizes[key] = size, sum(parameter.numel() for parameter in backbone.parameters()) > case.largest
        break
    return _sizes[key]


def build_without_memory(case: Case, size: int, **facts: Any) -> Backbone:
    """Build the backbone with parameters on the meta device. Only the shapes of its features are meaningful."""
    with ParametersWithoutMemory():
        backbone: Backbone = case.build(image_size=size, **facts)
    return backbone.to("meta").eval()


def build(case: Case) -> tuple[Backbone, int]:
    """Return the backbone and its image size; a large one has no memory for parameters."""
    size, large = find_size(case)
    torch.manual_seed(0)
    return build_without_memory(case, size) if large else case.build(image_size=size).eval(), size


def build_small(case: Case) -> tuple[Backbone, int]:
    """Return the backbone and its image size; skip the check for a large one."""
    if find_size(case)[1]:
        case.skip(f"a test does not compute with more than {case.largest:,.0f} parameters")
    return build(case)


def device_of(backbone: Backbone) -> str:
    return next((parameter.device.type for parameter in backbone.parameters()), "cpu")


def make_images(backbone: Backbone, size: int, count: int = 2) -> Tensor:
    if device_of(backbone) == "meta":
        return torch.empty(count, 3, size, size, device="meta")
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0))


@check("backbone")
def returns_the_declared_number_of_features(case: Case) -> None:
    backbone, size = build(case)
    assert isinstance(backbone, Backbone)
    assert backbone(make_images(backbone, size)).shape == (2, backbone.num_features)


@check("backbone")
def returns_a_map_of_features(case: Case) -> None:
    backbone, size = build(case)
    if isinstance(backbone, PatchBackbone) or type(backbone).patches is Backbone.patches:
        case.skip("it has no feature map")
    shape = tuple(backbone.patches(make_images(backbone, size)).shape)
    assert len(shape) == 4, f"patches(images) returns a tensor {shape}, not (N, rows, columns, D)"
    assert (shape[0], shape[3]) == (2, backbone.num_features), (
        f"patches(images) returns a tensor {shape}, but should have num_features, {backbone.num_features}, last"
    )


@check("backbone")
def accepts_the_channels_of_the_run(case: Case) -> None:
    size, _ = find_size(case)
    backbone = build_without_memory(case, size, in_channels=1)
    features = backbone(torch.empty(2, 1, size, size, device="meta"))
    assert features.shape == (2, backbone.num_features), "declare Annotated[int, sslreg.FromRun('in_channels')]"


@check("backbone")
def trains(case: Case) -> None:
    backbone, size = build_small(case)
    backbone.train()(make_images(backbone, size, 4)).square().sum().backward()
    gradients = [parameter.grad for parameter in backbone.parameters() if parameter.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)


@check("backbone")
def embeds_images_independently(case: Case) -> None:
    backbone, size = build_small(case)
    images = make_images(backbone, size, 3)
    with torch.no_grad():
        torch.testing.assert_close(backbone(images)[:1], backbone(images[:1]), atol=1e-4, rtol=1e-3)


@check("backbone")
def survives_a_checkpoint(case: Case) -> None:
    backbone, size = build_small(case)
    restored = case.build(image_size=size).eval()
    restored.load_state_dict(backbone.state_dict())
    images = make_images(backbone, size)
    with torch.no_grad():
        torch.testing.assert_close(restored(images), backbone(images))


@check("backbone")
def lists_parameters_by_depth(case: Case) -> None:
    backbone = build_without_memory(case, find_size(case)[0])
    try:
        depths = backbone.parameters_by_depth()
    except ValueError as error:
        case.skip(str(error))
    listed = [id(parameter) for parameters in depths for parameter in parameters]
    assert len(set(listed)) == len(listed), "parameters_by_depth lists a parameter twice"
    missing = [name for name, parameter in backbone.named_parameters() if id(parameter) not in listed]
    assert not missing, f"parameters_by_depth lacks {', '.join(missing[:3])}"

    backbone.freeze_stages(len(depths) - 2)
    backbone.train()
    assert not any(parameter.requires_grad for group in depths[:-1] for parameter in group), "freeze_stages trains them"
    for name, module in backbone.named_modules():
        own = list(module.parameters())
        if name and own and not any(parameter.requires_grad for parameter in own):
            assert not module.training, f"{name} is frozen, but not in eval mode"
