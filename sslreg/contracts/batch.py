"""What flows through training: a sample, and the batch of views made of many."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sslreg.errors import UserError

#: Encoded bytes, a path, a PIL image, or pixels: a uint8, uint16 or float32 tensor or array (C, H, W).
ImageLike = bytes | str | Path | Image.Image | Tensor | np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample of a data set, before augmentation.

    image: or the error that says why the data set cannot give it; it is raised where images are read. target: a class
    number, or None without labels. index: the sample's number in its data set; epoch: which pass over it. Both key the
    randomness of its views; where either is None, as outside of a run, the views are drawn from torch's generator.
    """

    image: ImageLike | UserError
    target: int | None = None
    index: int | None = None
    epoch: int | None = None


@dataclass
class Batch:
    """N samples as V augmented views.

    views: V float32 tensors (N, C, H, W), whose sizes may differ between views. groups: for each view, the
    number of the spec's `views` entry that made it (DINO tells global from local crops by it). targets: (N,)
    int64, or None unless every sample has one. indices: (N,) int64, -1 outside of a run. params: for each view what
    was drawn, by operation, when asked for. extras: whatever a collate of one's own adds; tensors in it move
    with the batch.
    """

    views: list[Tensor]
    targets: Tensor | None
    indices: Tensor
    groups: tuple[int, ...] = ()
    params: list[dict[str, dict[str, Tensor]]] | None = None
    extras: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.indices)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """The same batch on a device; `params` stay where they are."""

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
        """The same batch in page-locked memory; a DataLoader calls it when told to pin."""
        return replace(
            self,
            views=[view.pin_memory() for view in self.views],
            targets=None if self.targets is None else self.targets.pin_memory(),
            indices=self.indices.pin_memory(),
            extras={
                name: value.pin_memory() if isinstance(value, Tensor) else value for name, value in self.extras.items()
            },
        )
