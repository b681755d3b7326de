"""What a device does of a view is decided on the host.

Tensors of torch's meta device have no values, so that whatever would wait for a value of an accelerator fails there.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from torch import Tensor

import sslreg
from sslreg import Collate, DeferredBatch, Operation, Sample, ViewPlan, WithProbability
from sslreg.registry import installed

CROP = ("random_resized_crop", {"size": 16})
MOVING: list[tuple[str, dict[str, Any]]] = [
    ("horizontal_flip", {}),
    ("rotate90", {}),
    ("affine", {"degrees": 20.0, "interpolation": "bilinear"}),
    ("elastic", {"alpha": 15.0, "sigma": 2.0}),
]
CHANGING: list[tuple[str, dict[str, Any]]] = [
    ("color_jitter", {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1}),
    ("grayscale", {}),
    ("solarize", {"threshold": 0.6}),
    ("gaussian_blur", {"sigma": (0.1, 2.0)}),
    ("gaussian_noise", {"std": 0.05}),
    ("one_of", {"augment": ["grayscale", "solarize"]}),
    ("random_apply", {"augment": ["grayscale", "gaussian_noise"]}),
    ("random_order", {"augment": ["gaussian_noise", "grayscale", "solarize"]}),
    ("normalize", {"stats": "imagenet"}),
]


class Looks(sslreg.Augmentation):
    def draw(self, keys: sslreg.Keys, shapes: Tensor) -> sslreg.Params:
        return {"factor": keys.uniform()}

    def apply(self, images: Tensor, params: sslreg.Params) -> Tensor:
        return images * params["factor"].max().item()


class LooksOnTheHost(Looks):
    params_on_host = True


def operation(name: str, p: float, **parameters: Any) -> Operation:
    def build(name: str, **parameters: Any) -> Any:
        if "augment" in parameters:
            parameters["augment"] = [build(one) for one in parameters["augment"]]
        return installed().get("augmentation", name).load()(**parameters)

    one = build(name, **parameters)
    return Operation(name, WithProbability(one, p) if p < 1.0 else one)


def finished(operations: list[Operation], place: str) -> list[Tensor]:
    random = np.random.default_rng(0)
    samples = [Sample(random.integers(0, 256, (3, 20, 24), dtype=np.uint8), None, n, 0) for n in range(9)]
    pending = Collate([ViewPlan(operations, place=place)], device="meta")(samples)  # type: ignore[arg-type]
    assert isinstance(pending, DeferredBatch)
    return pending.finish("meta").views


@pytest.mark.parametrize("p", [0.5, 1.0])
@pytest.mark.parametrize("place", ["auto", "device"])
@pytest.mark.parametrize("order", [lambda: [*MOVING, *CHANGING], lambda: [*CHANGING, *MOVING]])
def test_no_operation_waits_for_the_device(order: Callable[[], list[Any]], place: str, p: float) -> None:
    made = [operation(name, p, **parameters) for name, parameters in order()]
    (view,) = finished([operation(CROP[0], 1.0, **CROP[1]), *made], place)
    assert view.is_meta
    assert view.shape == (9, 3, 16, 16)


def test_params_are_where_the_images_are_unless_an_operation_asks_for_them() -> None:
    with pytest.raises(sslreg.UserError, match=r"looks: RuntimeError: .* meta tensors"):
        finished([Operation("looks", Looks())], "auto")
    assert finished([Operation("looks", LooksOnTheHost())], "auto")[0].is_meta
