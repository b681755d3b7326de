"""The steps of a view: its operations, and the rounding after the leading geometry."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from sslreg.contracts.augmentation import Augmentation, Params
from sslreg.views.with_probability import WithProbability

#: Where the name of a class, in snake case, has an underscore.
_BETWEEN_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True)
class Operation:
    """An augmentation under the name that the spec uses for it; the name keys its randomness.

    Attributes:
        name: the name in the spec.
        augmentation: the augmentation.
        origin: how errors call it, with the package that it comes from; the name if empty.
    """

    name: str
    augmentation: Augmentation
    origin: str = ""

    def __str__(self) -> str:
        return self.origin or self.name

    @property
    def geometry(self) -> bool:
        """Whether it moves pixels and leaves their values alone."""
        return self.augmentation.geometry

    @property
    def host_only(self) -> bool:
        """Whether it cannot run on an accelerator."""
        return self.augmentation.host_only

    def label(self, by_class: bool = False) -> str:
        """Return what a person calls the step: its name in the spec, with `p`, or the name of its class."""
        if isinstance(self.augmentation, WithProbability):
            return f"{self.name} (p {self.augmentation.p:g})"
        return _BETWEEN_WORDS.sub("_", type(self.augmentation).__name__).lower() if by_class else self.name


@dataclass(frozen=True)
class Rounding:
    """The end of the leading geometry: images that came in uint8 are rounded to uint8 again."""

    geometry: ClassVar[bool] = True
    host_only: ClassVar[bool] = False

    def label(self, by_class: bool = False) -> str:
        """Return what a person calls the step."""
        return "round to 8 bits"


Step = Operation | Rounding


@dataclass(frozen=True)
class Draw:
    """The draw of one step for N samples, on the CPU.

    Attributes:
        params: the values drawn for the images in full size, one row per sample; for the rounding ``uint8``, bool (N,),
            whether an image came in uint8.
        shapes: int64 (N, 3), the shapes that the step will return.
        rescaled: the params for the images as they were decoded, if some of them were reduced.
    """

    params: Params
    shapes: Tensor
    rescaled: Params | None = None

    @property
    def apply_params(self) -> Params:
        """The params with which the step is applied."""
        return self.params if self.rescaled is None else self.rescaled

    def select(self, rows: slice) -> Draw:
        """Return the draw of some of the samples."""
        return Draw({name: values[rows] for name, values in self.params.items()}, self.shapes[rows])
