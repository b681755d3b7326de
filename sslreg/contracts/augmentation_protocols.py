"""Optional protocols of augmentations, for experts: fusion, uint8, partial decoding, aspects, strength.

An augmentation supports a protocol by having its members; there is nothing to derive from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard, runtime_checkable

from torch import Tensor

from sslreg.contracts.augmentation import Augmentation, Params


@runtime_checkable
class SupportsFusion(Protocol):
    """An augmentation that can do the work of its successor in the same pass."""

    def fuse_with(self, following: Augmentation) -> Augmentation | None:
        """Return one augmentation that does the work of this one and then of `following`; None if there is none.

        A plan then asks the result, if it supports fusion, for the successor after that. Only `apply` of the result is
        called. Its params hold what the k-th of the fused operations drew as ``k.name``, and ``k.applied``, bool
        (N,), if that operation applies to a share of the samples.
        """
        ...


@runtime_checkable
class SupportsUint8(Protocol):
    """An augmentation that takes uint8 images as they are, which saves a conversion.

    Geometry then returns uint8 for them, rounded once; other operations return float32 in [0, 1].
    """

    takes_uint8: bool


@runtime_checkable
class SupportsHostParams(Protocol):
    """An augmentation whose `apply` gets its params on the CPU, wherever the images are.

    It can look at values (`.tolist()`, masks) without waiting for an accelerator.
    """

    params_on_host: bool


@dataclass(frozen=True)
class DecodingRequest:
    """The pixels that an operation needs of N undecoded images.

    Attributes:
        min_sizes: int64 (N, 2), the smallest height and width to which each whole image may be reduced.
        boxes: int64 (N, 4), the part of each image that is read: top, left, height, width, in pixels of the file.
        rescale: returns the params that `apply` takes instead, for images that were reduced by factors (N,) of 1, 2, 4
            or 8, and of which the part from origins (N, 2) on is there: top and left in reduced pixels, both int64.
    """

    min_sizes: Tensor
    boxes: Tensor
    rescale: Callable[[Tensor, Tensor], Params]


@runtime_checkable
class SupportsPartialDecoding(Protocol):
    """An augmentation that can work on a part of a photograph, decoded at a reduced size.

    A view asks its first operation. Its images may then be decoded to a half, a quarter or an eighth of their size,
    low-pass filtered, and only where the operation reads them.
    """

    def decoding_request(self, params: Params, sizes: Tensor) -> DecodingRequest | None:
        """Return what the operation needs; None if it needs every pixel.

        Args:
            params: what `draw` returned.
            sizes: int64 (N, 2), height and width of the images.
        """
        ...


@runtime_checkable
class SupportsAspects(Protocol):
    """An augmentation that knows what it changes in images, and whether that makes sense for them.

    The invariance profile and searches over views treat each aspect separately.
    """

    @classmethod
    def aspects(cls, shape: tuple[int, int, int]) -> Sequence[str]:
        """Return the names of the aspects of images that the augmentation changes, such as rotation and scale.

        Leave out aspects that make no sense for such images, like the saturation of gray ones. The name is ``""`` if
        there is only one, as for augmentations without this method.

        Args:
            shape: C, H, W of the images.
        """
        ...


@runtime_checkable
class SupportsStrength(Protocol):
    """An augmentation whose effect can be scaled, as the invariance profile and searches over views need it.

    One without this method acts or does not act, with the defaults of its constructor.
    """

    @classmethod
    def at_strength(cls, strengths: Mapping[str, float], shape: tuple[int, int, int]) -> Mapping[str, Any]:
        """Return the arguments of the constructor with which some aspects have an effect, and the others have none.

        Args:
            strengths: in (0, 1], by the names of aspects. At 1 the effect is the largest that is useful; draws run from
                no effect up to it. Without aspects of an augmentation that has several, nothing changes.
            shape: C, H, W of the images. The augmentation must keep it.

        Returns:
            Values that a spec can have: numbers, strings, and lists of them.
        """
        ...


# Plans ask for these in every batch: isinstance of a protocol takes a hundred times longer than an attribute.


def supports_fusion(augmentation: object) -> TypeGuard[SupportsFusion]:
    """Return whether an augmentation supports fusion."""
    return hasattr(augmentation, "fuse_with")


def takes_uint8(augmentation: Augmentation) -> bool:
    """Return whether an augmentation takes uint8 images as they are."""
    return bool(getattr(augmentation, "takes_uint8", False))


def params_on_host(augmentation: Augmentation) -> bool:
    """Return whether an augmentation gets its params on the CPU."""
    return bool(getattr(augmentation, "params_on_host", False))
