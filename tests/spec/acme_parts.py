"""Components of an imaginary plugin package, which the specs of the tests use."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PositiveInt
from torch import nn

import sslreg


class Photos(sslreg.Dataset):
    """Photos in a folder.

    root: the folder; split: which part of it, by folder name.
    """

    def __init__(
        self,
        root: Path,
        split: Literal["train", "test"] = "train",
        transform: Callable[[Any], Any] | None = None,
        download: bool = False,
    ) -> None: ...


class Crop(sslreg.Augmentation):
    """A crop.

    Args:
        size (int): pixels of the
            result's sides.
        scale (tuple of float, optional): the share of the image's area.
            Default: (0.08, 1.0)

    Example:
        ratio: 1 is not a description
    """

    def __init__(
        self,
        size: PositiveInt | tuple[PositiveInt, PositiveInt],
        scale: tuple[float, float] = (0.08, 1.0),
        ratio: float = 1.0,
    ) -> None: ...


class Jitter(sslreg.Augmentation):
    def __init__(
        self, brightness: Annotated[float, Field(ge=0, description="How much.")] = 0.0, p: float = 1.0
    ) -> None: ...


class OneOf(sslreg.Augmentation):
    def __init__(self, augment: Sequence[sslreg.Augmentation]) -> None: ...


class Tiny(sslreg.Backbone):
    def __init__(self, in_channels: Annotated[int, sslreg.FromRun("in_channels")], width: int = 8) -> None: ...


class Pairs(sslreg.Model):
    """:param projection: the head's widths"""

    gives = ("pair", "views")
    views = (2, 2)

    def __init__(
        self,
        backbone: sslreg.Backbone,
        projection: Annotated[Sequence[PositiveInt], Field(min_length=1)] = (64,),
        memory_bank: sslreg.MemoryBank | None = None,
    ) -> None: ...


class Open(sslreg.Model):
    views = (1, None)

    def __init__(self, backbone: sslreg.Backbone) -> None: ...


class Contrast(sslreg.Loss):
    """temperature: what similarities are divided by."""

    def __init__(
        self,
        temperature: Annotated[float, Field(gt=0)] = 0.5,
        memory_bank: sslreg.MemoryBank | None = None,
        gather: bool = False,
        notes: dict[str, int] | None = None,
        label: str = "",
    ) -> None: ...


class Prototypes(sslreg.Loss):
    takes = "prototype scores"


class Fifo(sslreg.MemoryBank):
    def __init__(self, size: PositiveInt, dim: Annotated[int, sslreg.FromRun("embedding_dim")]) -> None: ...


class Knn(sslreg.Evaluator):
    def __init__(self, k: PositiveInt = 20) -> None: ...


class Color(Enum):
    RED = "red"
    BLUE = "blue"


def paint(color: Color = Color.RED, *layers: Any, weights: "Unknown | None" = None, **rest: Any) -> None:  # type: ignore[name-defined]  # noqa: F821, UP037
    """A callback made by a function, with a hint that cannot be evaluated."""


thick_paint = functools.partial(paint, color=Color.BLUE)


class NeedsCallable:
    def __init__(self, function: Callable[[int], int]) -> None: ...


class Signed:
    """A class whose signature is set explicitly."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...


class NotAContract(nn.Module):
    """A module that does not derive from a contract."""


class Warm:
    """A schedule with a minimum length."""

    def __init__(self, optimizer, epochs: int):
        self.epochs = epochs

    @staticmethod
    def least_epochs(epochs, **_):
        if epochs < 0:
            raise ValueError(f"epochs is {epochs}, but cannot be negative")
        return epochs


class MultiCrop(sslreg.Model):
    roles: ClassVar = {"global": (2, 2), "local": (0, 6)}

    def __init__(self, backbone: sslreg.Backbone) -> None: ...
