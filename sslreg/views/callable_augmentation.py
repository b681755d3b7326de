"""Makes an augmentation of what was not written as one: a plain callable, or a torchvision v2 transform."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import v2

from sslreg.contracts.augmentation import Augmentation, Images, Keys, Params
from sslreg.errors import UserError


class CallableAugmentation(Augmentation):
    """Calls a function of one image, float32 (C, H, W) in [0, 1], for each image by itself.

    What it draws from the global generators of torch, NumPy and Python is seeded by the sample's key, and their states
    are restored afterwards; so it runs on the host. A torchvision transform may change an image's size; any
    other callable that does has to be written as an `Augmentation`, which can announce it.
    """

    ragged = True
    host_only = True

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        self.function = function

    def draw(self, keys: Keys, shapes: Tensor) -> Params:
        return {"seed": keys.seeds()}

    def apply(self, images: Images, params: Params) -> Images:
        with _generators_restored():
            return [self._call(image, int(seed)) for image, seed in zip(images, params["seed"], strict=True)]

    def output_shapes(self, shapes: Tensor, params: Params) -> Tensor:
        if not isinstance(self.function, v2.Transform):
            return shapes
        # Tensors without data go through a transform at no cost. AugMix alone cannot take them, and keeps the size.
        try:
            with _generators_restored():
                outputs = [
                    self._call(torch.empty(*shape, device="meta"), int(seed))
                    for shape, seed in zip(shapes.tolist(), params["seed"], strict=True)
                ]
        except NotImplementedError:
            return shapes
        return torch.tensor([output.shape for output in outputs])

    def _call(self, image: Tensor, seed: int) -> Tensor:
        _seed_generators(seed)
        output: Any = self.function(image)
        if not isinstance(output, Tensor) or output.ndim != 3:
            what = f"a tensor {tuple(output.shape)}" if isinstance(output, Tensor) else f"a {type(output).__name__}"
            raise UserError(f"{self.function} returned {what}, not an image as a tensor (C, H, W)", code="augmentation")
        return output.as_subclass(Tensor)


def adapt(component: Any) -> Augmentation:
    """The component as an augmentation: itself if it is one, else a callable of one image, adapted.

    A torchvision transform's own ``p`` becomes 1, since a spec's ``p:`` says how often an operation acts.
    TypeError: it is neither.
    """
    if isinstance(component, Augmentation):
        return component
    if not callable(component) or isinstance(component, type):
        raise TypeError(f"{component!r} is neither an sslreg.Augmentation nor a callable of one image")
    if isinstance(component, v2.Transform) and isinstance(getattr(component, "p", None), float):
        component = copy.copy(component)
        component.p = 1.0
    return CallableAugmentation(component)


@contextmanager
def _generators_restored() -> Iterator[None]:
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    try:
        yield
    finally:
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])


def _seed_generators(seed: int) -> None:
    torch.default_generator.manual_seed(seed)
    np.random.seed(seed & 0xFFFF_FFFF)
    random.seed(seed)
