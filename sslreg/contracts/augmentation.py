"""The contract of an augmentation: draw the randomness, then apply the work.

The optional protocols for experts are in `sslreg.contracts.augmentation_protocols`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor

from sslreg.contracts.component import Component

#: A batch (N, C, H, W), or for a `ragged` augmentation N images (C, H, W) of any sizes.
Images = Tensor | list[Tensor]

#: Values by name; each tensor has one row per sample.
Params = dict[str, Tensor]

Number = float | Tensor


class Keys(Protocol):
    """The source of an operation's randomness: one key for each of N samples.

    A draw depends only on the sample's key and on the number of draws before it, so a sample's values do not change
    with the batch. Bounds may be numbers or tensors (N,) that differ by sample. Every draw returns a tensor (N, *size)
    on the CPU.
    """

    def __len__(self) -> int: ...

    def uniform(self, low: Number = 0.0, high: Number = 1.0, size: tuple[int, ...] = ()) -> Tensor:
        """Draw float32 from [low, high)."""
        ...

    def normal(self, mean: Number = 0.0, std: Number = 1.0, size: tuple[int, ...] = ()) -> Tensor:
        """Draw float32 from a normal distribution."""
        ...

    def integers(self, low: Number, high: Number, size: tuple[int, ...] = ()) -> Tensor:
        """Draw int64 from [low, high), like torch.randint."""
        ...

    def bernoulli(self, p: Number, size: tuple[int, ...] = ()) -> Tensor:
        """Draw bool, True with probability p."""
        ...

    def permutation(self, n: int) -> Tensor:
        """Draw a permutation of 0 … n-1 for each sample: int64 (N, n)."""
        ...

    def seeds(self) -> Tensor:
        """Draw int64 (N,) seeds for `sslreg.noise_like`, for fields too large to draw on the CPU."""
        ...

    def child(self, name: str) -> Keys:
        """Return separate keys for a nested operation; its draws do not affect the draws from these keys."""
        ...


class Augmentation(Component):
    """Base class of augmentations: implement `apply`, and `draw` if the operation is random.

    `apply` gets float32 pixels in [0, 1] and keeps its result in that range by clamping, unless leaving it is the
    purpose (`normalize`). The `geometry` operations at the start of a view are rounded once, after the last of them,
    if the image came in uint8.

    The spec's ``p:`` applies an augmentation to a share of the samples; the augmentation need not know about it.
    An instance holds only its parameters: it is pickled into workers and shared between views.
    """

    #: Takes a list of images of different sizes, and may return one.
    ragged: bool = False
    #: Moves pixels and leaves their values alone.
    geometry: bool = False
    #: Cannot run on an accelerator.
    host_only: bool = False

    def draw(self, keys: Keys, shapes: Tensor) -> Params:
        """Draw what `apply` needs.

        Args:
            keys: the source of randomness, one key per sample.
            shapes: int64 (N, 3), C, H, W of each image before this operation.

        Raises:
            ValueError: the operation cannot be applied to images of these shapes.
        """
        return {}

    # Any, so that an operation may annotate `images` more narrowly: Tensor, or Images if it is `ragged`.
    def apply(self, images: Any, params: Params) -> Images:
        """Apply the operation to N images.

        Args:
            images: float32 (N, C, H, W) on any device; for a `ragged` augmentation possibly a list of images.
            params: what `draw` returned, one row per image, on the device of the images.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement apply(images, params)")

    def output_shapes(self, shapes: Tensor, params: Params) -> Tensor:
        """Return the shapes (N, 3) after this operation. Override it if the operation changes shapes."""
        return shapes

    def for_embedding(self) -> Sequence[Augmentation]:
        """Return the operations that replace this one when images are embedded.

        None by default, as for an operation whose point is its randomness. A deterministic operation returns
        ``[self]``; a random crop returns the resize and center crop that show the same share of the image.
        """
        return ()
