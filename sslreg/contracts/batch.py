"""A sample of a data set, and the batch of views made of many samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sslreg.contracts.augmentation import Keys
from sslreg.contracts.sample_keys import SampleKeys
from sslreg.contracts.segmentation_mask import SegmentationMask, is_segmentation_mask
from sslreg.errors import UserError

#: Encoded bytes, a path, a PIL image, or pixels: a uint8, uint16 or float32 tensor or array (C, H, W).
ImageLike = bytes | str | Path | Image.Image | Tensor | np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample of a data set, before augmentation.

    `index` and `epoch` key the randomness of the views; if either is None, as outside of a run, the views are drawn
    from torch's generator.

    Attributes:
        image: the image, or the error that says why the data set cannot provide it; it is raised where images are read.
        target: a class number; a vector (C,) of bool that tells which of C labels the image has; or a mask of class
            numbers (see `SegmentationMask`); None without labels.
        index: the sample's number in its data set.
        epoch: the number of the pass over the data set.
    """

    image: ImageLike | UserError
    target: int | Tensor | SegmentationMask | None = None
    index: int | None = None
    epoch: int | None = None


@dataclass
class Batch:
    """N samples as V augmented views.

    Attributes:
        views: V float32 tensors (N, C, H, W), whose sizes may differ between views.
        targets: int64 (N,), class numbers, or bool (N, C), which of C labels each image has; None unless every sample
            has a target. Masks are not part of a batch.
        indices: int64 (N,), the samples' indices; -1 outside of a run.
        groups: for each view, the number of the spec's `views` entry that made it.
        roles: for each view, its role in the model (see `Model.roles`); "" if the model has no roles.
        params: for each view, what was drawn, by operation; None unless asked for.
        extras: what a custom collate adds; tensors in it move with the batch.
        sample_keys: the keys of the samples, from which `keys` derives others.
    """

    views: list[Tensor]
    targets: Tensor | None
    indices: Tensor
    groups: tuple[int, ...] = ()
    roles: tuple[str, ...] = ()
    params: list[dict[str, dict[str, Tensor]]] | None = None
    extras: dict[str, Any] = field(default_factory=dict)
    sample_keys: SampleKeys | None = None

    def __len__(self) -> int:
        return len(self.indices)

    def views_of(self, role: str) -> list[Tensor]:
        """Return the views of a role, in their order; an empty list if there are none.

        Raises:
            ValueError: the batch does not tell the role of each view.
        """
        if len(self.roles) != len(self.views):
            raise ValueError(
                f"the batch has {len(self.views)} views and {len(self.roles)} roles; give it one role per view: "
                "Batch(…, roles=(…))"
            )
        return [view for view, own in zip(self.views, self.roles, strict=True) if own == role]

    def keys(self, name: str) -> Keys:
        """Return one key per sample, for a model that draws at random, such as masks.

        The draws of a sample depend on the run's seed, the epoch, the sample's index and the name alone: not on the
        views, the rest of the batch, workers, processes or resuming. Keys of one name draw the same values again; use
        another name for other values. Draws are on the CPU.

        If the batch has no keys, because it was not made by a `Collate`, they are drawn from torch's generator once.
        """
        if self.sample_keys is None:
            self.sample_keys = SampleKeys.from_torch(len(self))
        return self.sample_keys.child(f"model {name}")

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """Return the batch on a device; `params` stay on the CPU."""

        def move(value: Any) -> Any:
            return value.to(device, non_blocking=non_blocking) if isinstance(value, Tensor) else value

        return replace(
            self,
            views=[move(view) for view in self.views],
            targets=move(self.targets),
            indices=move(self.indices),
            extras={name: move(value) for name, value in self.extras.items()},
        )

    def pin_memory(self) -> Batch:
        """Return the batch in page-locked memory; a DataLoader with ``pin_memory`` calls it."""
        return replace(
            self,
            views=[view.pin_memory() for view in self.views],
            targets=None if self.targets is None else self.targets.pin_memory(),
            indices=self.indices.pin_memory(),
            extras={
                name: value.pin_memory() if isinstance(value, Tensor) else value for name, value in self.extras.items()
            },
        )


def as_sample(item: Sample | Sequence[Any] | ImageLike, index: int | None = None, epoch: int | None = None) -> Sample:
    """Return a data set's item as a `Sample`.

    Args:
        item: a Sample, an ``(image, target)`` pair or a bare image.
        index: the sample's index; the item's if None.
        epoch: the sample's epoch; the item's if None.

    Raises:
        UserError: the item is none of these, or its target is not a class number, a vector of labels or a mask.
    """
    if isinstance(item, Sample):
        return item if index is None else replace(item, index=index, epoch=epoch)
    if not isinstance(item, tuple | list):
        return Sample(item, None, index, epoch)  # type: ignore[arg-type]  # `load_image` reports other types
    if len(item) != 2:
        raise UserError(
            f"an item of the data set is a {type(item).__name__} of {len(item)}",
            hint="an item is a sslreg.Sample, an (image, target) pair or an image",
            code="sample",
        )
    image, target = item
    return Sample(image, _as_target(target), index, epoch)


def is_label_set(target: object) -> TypeGuard[Tensor]:
    """Return whether a target is a vector (C,) that tells which of C labels an image has."""
    return isinstance(target, Tensor) and target.ndim == 1


def _as_target(target: Any) -> int | Tensor | SegmentationMask | None:
    if target is None or type(target) is int or is_segmentation_mask(target):
        return target
    if isinstance(target, Tensor | np.ndarray) and target.ndim == 1:
        labels = torch.as_tensor(target)
        if not bool(((labels == 0) | (labels == 1)).all()):
            raise UserError(
                "a target (C,) has values other than 0 and 1",
                hint="a vector tells for each of C labels whether the image has it",
                code="sample",
            )
        return labels.bool()
    value = target.item() if isinstance(target, Tensor | np.ndarray | np.generic) and target.ndim == 0 else target
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return int(value)
    raise UserError(
        f"a target is a {type(target).__name__}, neither a class number nor a mask (H, W) of class numbers",
        hint="give an integer, a vector (C,) of bool for several labels, a mask or None; a custom collate can add "
        "anything else to the batch in `extras`",
        code="sample",
    )
