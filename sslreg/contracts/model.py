"""What a model, a self-supervised method, is: a backbone, and a step that says how it learns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor, nn

from sslreg.contracts.backbone import Backbone
from sslreg.contracts.batch import Batch
from sslreg.contracts.loss import Loss


@dataclass
class StepOutput:
    """What a training step returns.

    loss: a scalar to minimize. embeddings: (N, D) of one view, detached by whoever keeps them, for collapse
    watching. metrics: scalars to log beside the loss.
    """

    loss: Tensor
    embeddings: Tensor | None = None
    metrics: dict[str, Tensor] = field(default_factory=dict)


class Model(nn.Module):
    """Base class of methods: a constructor with a ``backbone`` slot, and a `training_step` like the paper's.

    embedding_dim: the width of what the loss compares (the projection's output), which is what a memory bank has to
    hold. `embed` gives features for evaluation and use, as a rule the backbone's.

    The contract was held against methods that are yet to come; what they need beside it:

    * BYOL: a predictor and a moving average updated in `after_step`. Its momentum grows over the run: keep a step
      counter as a buffer and take ``Annotated[int, FromRun("total_steps")]``. The loss is called once a direction.
    * SwAV: prototypes are normalized at the start of `training_step` without gradient, and frozen at first by a
      gradient hook on the parameter. Its queue is a `memory_bank` slot of the model.
    * DINO: `Batch.groups` tells global crops from local ones. `backbone` is what is used afterwards, so here it is the
      teacher's, and the student is a copy. One schedule component moves both the learning rate and the weight decay
      of the optimizer's groups; the center is the loss's staged buffer.
    * NNCLR: a `memory_bank` slot of the model, which tells its bank the width (`MemoryBank.hold`), asks it for nearest
      neighbors and commits it in `after_step`.
    * MAE: one view (`views` below) and a backbone that can encode some of its patches. The mask is drawn in
      `training_step` from torch's generator, which a checkpoint carries and which each rank seeds for itself.
    """

    #: Forms of input that this method can give a loss; see `Loss.takes`.
    gives: ClassVar[tuple[str, ...]] = ("pair",)
    #: The least and the largest number of views that a step takes; None is no limit.
    views: ClassVar[tuple[int, int | None]] = (2, 2)

    backbone: Backbone
    embedding_dim: int

    def training_step(self, batch: Batch, loss: Loss) -> StepOutput:
        """One forward pass: from the views of a batch to the loss."""
        raise NotImplementedError(f"{type(self).__name__} does not implement training_step(batch, loss)")

    def embed(self, images: Tensor) -> Tensor:
        """Features (N, D) of images (N, C, H, W)."""
        features: Tensor = self.backbone(images)
        return features

    def parameter_groups(self) -> Iterable[dict[str, Any]]:
        """Groups for the optimizer, in torch's form; here one group of all that is trained."""
        return [{"params": [parameter for parameter in self.parameters() if parameter.requires_grad]}]

    def after_step(self) -> None:
        """Called once after the optimizer has stepped and before any checkpoint: move momentum encoders here."""
