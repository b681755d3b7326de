"""The contract of a model, a self-supervised method: a backbone, and a training step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sslreg.contracts.backbone import Backbone
from sslreg.contracts.batch import Batch
from sslreg.contracts.component import Component
from sslreg.contracts.loss import Loss


@dataclass
class StepOutput:
    """The result of a training step.

    Attributes:
        loss: a scalar to minimize.
        embeddings: rows (N, D) of any width D to watch for collapse, usually the embeddings of one view that the loss
            compares; the watcher detaches them. None watches nothing, for methods whose embeddings may collapse without
            harm, such as MAE.
        metrics: scalars to log in addition to the loss.
    """

    loss: Tensor
    embeddings: Tensor | None = None
    metrics: dict[str, Tensor] = field(default_factory=dict)


class Model(Component, nn.Module):
    """Base class of methods: a constructor with a ``backbone`` slot, and a `training_step` like the paper's.

    How some methods fit into the contract:

    * BYOL: a predictor, and a `momentum_copy` that `after_step` moves with `follow`. Its momentum is a `CosineValue`
      over ``Annotated[int, FromRun("total_steps")]``. Call the loss once per direction.
    * SwAV: normalize prototypes at the start of `training_step` without gradient, and freeze them at first in
      `before_step`, which sets their gradients to None. The queues are a slot of the model,
      ``Sequence[sslreg.MemoryBank]``, stored in a `torch.nn.ModuleList`.
    * DINO: declare `roles`. `Batch.views_of` returns the global and the local crops, and `forward_by_size` runs them.
      `backbone` is the part that is used after training, here that of the teacher; `trained_modules` returns the
      student, and `parameter_groups` its `split_weight_decay`. The spec lists two schedules, one for the learning
      rate and one for the weight decay. The center is a staged buffer of the loss.
    * NNCLR: a `memory_bank` slot of the model. The constructor sets the width of the bank (`MemoryBank.hold`) and calls
      `MemoryBank.require_nearest`; `training_step` replaces embeddings by their nearest rows, which carry no gradient
      and come first in the loss, and enqueues new ones. Training commits the bank.
    * Distillation: a slot for the teacher, which `frozen` keeps out of training and checkpoints.
    * MAE: one view (see `views`) and a backbone that can encode some of its patches. Draw the mask in `training_step`
      from `Batch.keys`, and return no `StepOutput.embeddings`.

    Attributes:
        backbone: the backbone that is used after training and exported. It may be a copy of the one in the slot, as in
            DINO. A model whose `embed` returns other features cannot be exported.
        embedding_dim: the width of the embeddings that the loss compares (the output of the projection), and of the
            rows of a memory bank.
    """

    #: Forms of input that this method can pass to a loss; see `Loss.takes`.
    gives: ClassVar[tuple[str, ...]] = ("pair",)
    #: The smallest and the largest number of views that a step takes; None is no limit. A class that declares `roles`
    #: does not declare `views`, which is then the sum over the roles.
    views: ClassVar[tuple[int, int | None]] = (2, 2)
    #: The same for each role of views, such as ``{"global": (2, 2), "local": (0, None)}``; empty if views have no
    #: roles. In a spec, `as` gives views a role. Those without take the first role, and its first view shows how images
    #: are embedded.
    roles: ClassVar[Mapping[str, tuple[int, int | None]]] = {}

    backbone: Backbone
    embedding_dim: int

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if not cls.roles:
            return
        if "views" in vars(cls):
            raise TypeError(f"{cls.__name__} has roles, whose sum is its number of views; do not declare `views`")
        least, most = zip(*cls.roles.values(), strict=True)
        cls.views = sum(least), None if None in most else sum(most)

    def training_step(self, batch: Batch, loss: Loss) -> StepOutput:
        """Run one forward pass, from the views of a batch to the loss."""
        raise NotImplementedError(f"{type(self).__name__} does not implement training_step(batch, loss)")

    def embed(self, images: Tensor) -> Tensor:
        """Return features (N, D) of images (N, C, H, W) for evaluation and use; those of the backbone by default."""
        features: Tensor = self.backbone(images)
        return features

    def trained_modules(self) -> Iterable[nn.Module]:
        """Return the modules that ``engine.compile`` compiles; the backbone by default.

        Override it if other modules are trained. In DINO, that is the student, whereas `backbone` is the teacher.
        """
        return [self.backbone]

    def parameter_groups(self) -> Iterable[dict[str, Any]]:
        """Return the groups for the optimizer, in torch's form; one group of all trained parameters by default.

        A group is a mapping with ``params`` and options that replace those of the optimizer:

        * ``weight_decay: 0`` for biases and normalization layers, see `split_weight_decay`.
        * ``lr``, stated for `base_batch_size` samples per step like that of the optimizer.
        * ``lr_scale`` multiplies the learning rate of the group, that of the optimizer or its ``lr``, before schedules
          and warm-ups change it; see `layer_decay`. The group keeps it, and `cosine` scales its ``eta_min`` by it.
        * ``fixed_lr: True`` keeps the learning rate of the group as it is, whatever schedules and warm-ups do to that
          of other groups; for SimSiam's predictor (arXiv 2011.10566, section 4.2).
        * any other option of the optimizer.
        """
        return [{"params": [parameter for parameter in self.parameters() if parameter.requires_grad]}]

    def before_step(self) -> None:
        """Change gradients, for example set those of frozen prototypes to None.

        Training calls it once before each optimizer step: after the last backward pass, and before gradients are
        unscaled and clipped.
        """

    def after_step(self) -> None:
        """Update momentum encoders and the like. Training calls it once after each optimizer step."""


def split_weight_decay(source: nn.Module | Iterable[nn.Parameter]) -> list[dict[str, Any]]:
    """Return two groups for the optimizer, the first with weight decay and the second without.

    The second holds parameters of at most one dimension, such as biases and the weights of normalization layers.

    Args:
        source: a module, or parameters. Those that require no gradient are left out.
    """
    parameters = source.parameters() if isinstance(source, nn.Module) else source
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    return [
        {"params": [parameter for parameter in trained if parameter.ndim > 1]},
        {"params": [parameter for parameter in trained if parameter.ndim <= 1], "weight_decay": 0.0},
    ]


def layer_decay(backbone: Backbone, decay: float) -> list[dict[str, Any]]:
    """Return groups for the optimizer in which deeper layers of a backbone have higher learning rates.

    In a backbone of L stages, which are the blocks of a Vision Transformer, `lr_scale` is decay^(L + 1 - k) for stage
    k = 1, …, L, where k = 0 are the embeddings and k = L + 1 is everything after the stages (BEiT, arXiv 2106.08254;
    DINOv2, arXiv 2304.07193). `split_weight_decay` splits each layer. Thus position embeddings and class tokens, which
    have more than one dimension, have weight decay, as in the code of DINO, I-JEPA and DINOv2; BEiT excludes them.
    Groups of the highest rate come first.

    Args:
        backbone: a backbone that implements `parameters_by_depth`. Parameters that require no gradient are left out.
        decay: the quotient of the rates of neighboring layers, in (0, 1].

    Raises:
        ValueError: `decay` is out of range, or the backbone does not tell its stages.
    """
    if not 0 < decay <= 1:
        raise ValueError(f"the layer decay is {decay}, but must be in (0, 1]")
    layers = reversed(backbone.parameters_by_depth())
    groups = [
        {**group, "lr_scale": decay**distance}
        for distance, parameters in enumerate(layers)
        for group in split_weight_decay(parameters)
    ]
    return [group for group in groups if group["params"]]


def forward_by_size(module: Callable[[Tensor], Tensor], views: Sequence[Tensor]) -> list[Tensor]:
    """Run views through a module, all views of one size in one batch, and return one output per view.

    This decides over what batch normalization computes its statistics: over all views of a size together, as in
    multi-crop training (SwAV, arXiv 2006.09882; DINO, arXiv 2104.14294). Without batch statistics, the outputs equal
    those of one call per view.

    Args:
        module: computes a row of output for each image (N, C, H, W).
        views: the views, of any sizes. Those of one shape (C, H, W) are concatenated along N in their order, and the
            size that comes first runs first.
    """
    numbers: dict[torch.Size, list[int]] = {}
    for number, view in enumerate(views):
        numbers.setdefault(view.shape[1:], []).append(number)
    outputs: dict[int, Tensor] = {}
    for same_size in numbers.values():
        images = [views[number] for number in same_size]
        batch = torch.cat(images) if len(images) > 1 else images[0]
        rows = torch.split(module(batch), [len(view) for view in images])
        outputs.update(zip(same_size, rows, strict=True))
    return [outputs[number] for number in range(len(views))]
