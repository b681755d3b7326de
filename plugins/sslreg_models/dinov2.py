"""DINOv2: learning robust visual features without supervision (arXiv 2304.07193)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Tensor

import sslreg
from sslreg_models.ibot import IBOT


class DINOv2(IBOT):
    """DINOv2: iBOT with separate heads, evenly assigned targets, and class tokens that spread (section 4).

    Args:
        projection: The widths of the layers of the projection heads before their last ones.
        batch_norm: Whether batch normalization follows these layers but the last ones. Narrow heads need it.
        out_dim: The width of the output, the number of prototypes.
        shared_head: Whether class tokens and patches have the same head.
    """

    gives = ("class tokens, masked patches and features",)

    def __init__(
        self,
        backbone: sslreg.PatchBackbone,
        steps_per_epoch: Annotated[int, sslreg.FromRun("steps_per_epoch")],
        total_steps: Annotated[int, sslreg.FromRun("total_steps")],
        masks: sslreg.MaskSampler | None = None,
        projection: Annotated[Sequence[PositiveInt], Field(min_length=1)] = (2048, 2048, 256),
        batch_norm: bool = False,
        out_dim: PositiveInt = 65536,
        shared_head: bool = False,
        momentum: Annotated[float, Field(ge=0, le=1)] = 0.992,
        freeze_last_layer_epochs: NonNegativeInt = 1,
    ) -> None:
        super().__init__(
            backbone,
            steps_per_epoch,
            total_steps,
            masks,
            projection=projection,
            batch_norm=batch_norm,
            out_dim=out_dim,
            shared_head=shared_head,
            momentum=momentum,
            freeze_last_layer_epochs=freeze_last_layer_epochs,
        )

    def compute_loss(self, loss: sslreg.Loss, outputs: tuple[Any, ...], class_tokens: list[Tensor]) -> Tensor:
        value: Tensor = loss(*outputs, class_tokens)
        return value
