"""What an augmentation is: randomness and work, kept apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor

#: A batch (N, C, H, W), or for a `ragged` augmentation N images (C, H, W) of any sizes.
Images = Tensor | list[Tensor]

#: What was drawn: tensors with one row per sample, by name.
Params = dict[str, Tensor]

Number = float | Tensor


class Keys(Protocol):
    """The source of an operation's randomness: one key per sample, N in all.

    A draw depends on nothing but the sample's key and how many draws the operation made before it, so a sample's
    values do not change with the batch around it. Bounds may be numbers or tensors (N,) that differ by sample.
    Every draw gives a tensor (N, *size) on the CPU.
    """

    def __len__(self) -> int: ...

    def uniform(self, low: Number = 0.0, high: Number = 1.0, size: tuple[int, ...] = ()) -> Tensor:
        """float32 in [low, high)."""
        ...

    def normal(self, mean: Number = 0.0, std: Number = 1.0, size: tuple[int, ...] = ()) -> Tensor:
        """float32, normally distributed."""
        ...

    def integers(self, low: Number, high: Number, size: tuple[int, ...] = ()) -> Tensor:
        """int64 in [low, high), as torch.randint has it."""
        ...

    def bernoulli(self, p: Number, size: tuple[int, ...] = ()) -> Tensor:
        """bool, True with probability p."""
        ...

    def permutation(self, n: int) -> Tensor:
        """int64 (N, n): an order of 0 … n-1 for each sample."""
        ...

    def seeds(self) -> Tensor:
        """int64 (N,): seeds for `sslreg.noise_like`, for fields too large to draw on the host."""
        ...

    def child(self, name: str) -> Keys:
        """Keys of their own for something nested; drawing from them leaves these alone."""
        ...


class Augmentation:
    """Base class of augmentations.

    Pixels are float32 in [0, 1] when `apply` sees them. A `geometry` operation moves pixels and may run before that:
    leading geometry operations together end in one rounding to the levels that the image had. Everything after them
    keeps its result in [0, 1] by clamping, except where leaving that range is its purpose (`normalize`).

    The probability with which an operation acts is not its business: a spec's ``p:`` belongs to the view plan.
    Instances hold their parameters and nothing else: they are pickled into workers and shared between views.
    """

    #: Takes and may return a list of images of different sizes.
    ragged: bool = False
    #: Moves pixels rather than changing their values.
    geometry: bool = False
    #: Cannot run on an accelerator.
    host_only: bool = False
    #: Gets what was drawn on the CPU, wherever the images are: to look at values on an accelerator, one waits for it.
    host_params: bool = False
    #: Takes uint8 levels as they are, which spares their conversion: geometry then returns uint8, rounded once.
    eight_bits: bool = False

    def draw(self, keys: Keys, shapes: Tensor) -> Params:
        """Draw what `apply` needs. shapes: int64 (N, 3), each image's C, H, W before this operation."""
        return {}

    # Any, so that an operation may annotate `images` with what it does take: Tensor, or Images where it is `ragged`.
    def apply(self, images: Any, params: Params) -> Images:
        """Do the work on N images with `params` as drawn, one row per image, on the device that they are on.

        The params are on the same device, unless the augmentation is `host_params`.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement apply(images, params)")

    def output_shapes(self, shapes: Tensor, params: Params) -> Tensor:
        """The (N, 3) shapes after this operation. An operation that changes them says so here."""
        return shapes

    def for_embedding(self) -> Sequence[Augmentation]:
        """What stands for this operation when images are embedded rather than augmented.

        Nothing, for an operation whose point is its randomness. A deterministic one returns ``[self]``; a random
        crop returns the resize and center crop that show the same amount of image.
        """
        return ()

    @classmethod
    def at_strength(cls, strength: float, shape: tuple[int, int, int]) -> Mapping[str, Augmentation] | None:
        """This operation with its effect scaled, so that one can measure how a model's features take it.

        strength: in (0, 1], 1 being the most that is worth asking for; the operation draws from nothing up to that.
        shape: C, H, W of the images, which have to keep it. One augmentation for each aspect that it changes, by the
        aspect's name (``{"rotation": …, "shear": …}``), or a single one under ``""``; none for what has no meaning for
        such images, as saturation has none for gray ones. None: it has no scale, and is measured as its constructor
        makes it without arguments.
        """
        return None

    def least_sizes(self, params: Params, sizes: Tensor) -> Tensor | None:
        """To what height and width (N, 2), int64, images may be reduced before this operation gets them.

        sizes: int64 (N, 2), what they have. A view asks its first operation, and has large photographs decoded to a
        half, a quarter or an eighth, smoothed, where that leaves no less than this. None: not at all.
        """
        return None

    def visible_parts(self, params: Params) -> Tensor | None:
        """What this operation looks at of each image: int64 (N, 4), top, left, height, width, in pixels. None: all.

        Of a photograph that can be reduced, a view may get no more than that.
        """
        return None

    def for_reduced(self, params: Params, by: Tensor, origins: Tensor) -> Params:
        """What `apply` takes in place of `params` for images that were reduced, or parts of such images.

        by: int64 (N,), of 1, 2, 4 and 8. origins: int64 (N, 2), the top and left of what is there, in reduced pixels.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement for_reduced(params, by, origins)")

    def absorb(self, following: Augmentation) -> Augmentation | None:
        """One augmentation that does the work of this one and then of `following`, sooner; None if there is none.

        A plan asks an operation for its successor, and the result for the one after that. The result is only asked to
        `apply`: its params hold what the k-th of those that it stands for drew as ``k.name``, and ``k.applied``, bool
        (N,), where that one acts on some of the samples alone.
        """
        return None
