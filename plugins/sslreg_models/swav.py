"""SwAV: unsupervised learning of visual features by contrasting cluster assignments (arXiv 2006.09882)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import torch
from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Tensor, nn
from torch.nn.functional import normalize

import sslreg
from sslreg import distributed
from sslreg_models.projection_head import projection_head


class SwAV(sslreg.Model):
    """SwAV: each view predicts to which prototypes the global views are assigned (section 3, algorithm 1).

    Codes spread the samples of a batch evenly over the prototypes. If batches are much smaller than the number of
    prototypes, queues of past embeddings, one for each global view, take part: ``queues: [{use: fifo, size: 3840},
    {use: fifo, size: 3840}]``.

    Args:
        backbone: The encoder whose features are used after the training.
        projection: The widths of the layers of the projection head.
        prototypes: The number of prototypes.
        freeze_prototypes_epochs: The number of epochs at the start in which prototypes keep their random directions.
        queues: A memory bank for each global view, or none.
        queue_start_epoch: The number of epochs after which the queues take part.
    """

    gives = ("prototype scores",)
    roles: ClassVar = {"global": (2, None), "local": (0, None)}

    queues: Sequence[sslreg.MemoryBank]

    def __init__(
        self,
        backbone: sslreg.Backbone,
        steps_per_epoch: Annotated[int, sslreg.FromRun("steps_per_epoch")],
        projection: Annotated[Sequence[PositiveInt], Field(min_length=1)] = (2048, 128),
        prototypes: PositiveInt = 3000,
        freeze_prototypes_epochs: NonNegativeInt = 1,
        queues: Sequence[sslreg.MemoryBank] = (),
        queue_start_epoch: NonNegativeInt = 15,
    ) -> None:
        super().__init__()
        self.embedding_dim = projection[-1]
        self.backbone = backbone
        self.projection = projection_head(backbone.num_features, projection)
        self.prototypes = nn.Linear(self.embedding_dim, prototypes, bias=False)
        self.queues = nn.ModuleList(queues)  # type: ignore[assignment]  # a sequence of its modules
        for queue in queues:
            queue.hold(self.embedding_dim)
        self.frozen_steps = freeze_prototypes_epochs * steps_per_epoch
        self.queue_start = queue_start_epoch * steps_per_epoch
        self.counter = sslreg.StepCounter()

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        global_views, local_views = batch.views_of("global"), batch.views_of("local")
        count = len(global_views)
        if len(self.queues) not in (0, count):
            raise ValueError(
                f"there are {len(self.queues)} queues for {count} global views; give one for each, or none"
            )
        with torch.no_grad():
            self.prototypes.weight.copy_(normalize(self.prototypes.weight, dim=1))
        features = sslreg.forward_by_size(self.backbone, [*global_views, *local_views])
        z = normalize(self.projection(torch.cat(features)), dim=1)
        scores, views = self.prototypes(z).chunk(len(features)), z.chunk(len(features))
        value = loss(scores[:count], scores[count:], self.score_queues())
        for queue, view in zip(self.queues, views, strict=False):
            queue.enqueue(view)
        return sslreg.StepOutput(value, embeddings=views[0])

    @torch.no_grad()
    def score_queues(self) -> list[Tensor]:
        """Return the scores of this process's share of each queue, which holds embeddings of all processes."""
        if self.counter.step < self.queue_start:
            return []
        mine = slice(distributed.rank(), None, distributed.world_size())
        weight = self.prototypes.weight
        return [self.prototypes(queue.negatives()[mine].to(weight.dtype)) for queue in self.queues]

    def before_step(self) -> None:
        """Freeze the prototypes for the first epochs."""
        if self.counter.step < self.frozen_steps:
            self.prototypes.weight.grad = None

    def after_step(self) -> None:
        self.counter.advance()
