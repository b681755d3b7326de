"""Plain callables and torchvision v2 transforms as augmentations."""

from __future__ import annotations

import copy
import inspect
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import v2

from sslreg.contracts.augmentation import Augmentation, Images, Keys, Params
from sslreg.errors import type_name


class CallableAugmentation(Augmentation):
    """Calls a function of one image, float32 (C, H, W) in [0, 1], for each image.

    It runs on the host: the global generators of torch, NumPy and Python are seeded by the sample's key for each image,
    and their states are restored afterwards. A torchvision transform may change the size of an image. Any other
    callable that does must be written as an `Augmentation`, which announces it in `output_shapes`.
    """

    ragged = True
    host_only = True

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        self.function = function

    def draw(self, keys: Keys, shapes: Tensor) -> Params:
        return {"seed": keys.seeds()}

    def apply(self, images: Images, params: Params) -> Images:
        with _restore_generators():
            return [self._call(image, int(seed)) for image, seed in zip(images, params["seed"], strict=True)]

    def output_shapes(self, shapes: Tensor, params: Params) -> Tensor:
        if not isinstance(self.function, v2.Transform):
            return shapes
        # Tensors without data cost nothing to transform. Only AugMix cannot take them, and it keeps the size.
        try:
            with _restore_generators():
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
            if inspect.iscoroutine(output):
                output.close()  # or else Python warns that nobody awaits it
            name = f"a tensor {tuple(output.shape)}" if isinstance(output, Tensor) else f"a {type_name(output)}"
            raise ValueError(f"the function returned {name}, not an image as a tensor (C, H, W)")
        return output.as_subclass(Tensor)


def adapt(component: Any) -> Augmentation:
    """Return a component as an augmentation: unchanged if it is one, else a callable of one image, adapted.

    The ``p`` of a torchvision transform becomes 1, since the ``p:`` of the spec is the probability of an operation.

    Raises:
        ValueError: the component is neither.
    """
    if issubclass(type(component), Augmentation):
        augmentation: Augmentation = component
        return augmentation
    if not callable(component) or isinstance(component, type):
        raise ValueError(f"{type_name(component)} is neither an sslreg.Augmentation nor a callable of one image")
    if isinstance(component, v2.Transform) and isinstance(getattr(component, "p", None), float):
        component = copy.copy(component)
        component.p = 1.0
    return CallableAugmentation(component)


@contextmanager
def _restore_generators() -> Iterator[None]:
    """Restore the states of the global generators at the end."""
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
