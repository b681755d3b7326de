"""Methods made of lightly's modules, as its documentation and its benchmarks compose them, for `benchmarks.methods`."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

import sslreg

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from lightly.loss import (
        BarlowTwinsLoss,
        DINOLoss,
        NegativeCosineSimilarity,
        NTXentLoss,
        SwaVLoss,
        VICRegLoss,
    )
    from lightly.models.modules.heads import (
        BarlowTwinsProjectionHead,
        BYOLPredictionHead,
        BYOLProjectionHead,
        DINOProjectionHead,
        SimCLRProjectionHead,
        SwaVProjectionHead,
        SwaVPrototypes,
        VICRegProjectionHead,
    )
    from lightly.models.utils import deactivate_requires_grad, update_momentum
    from lightly.utils.scheduler import cosine_schedule


class LightlyMethod(nn.Module):
    """Base class of the methods. They have the hooks of `sslreg.Model`, so that one loop trains both sides.

    Args:
        ours: The untrained method of sslreg, whose weights this one copies.
        params: The parameters of that method in its spec.
        steps_per_epoch: The number of steps of an epoch.
        total_steps: The number of steps of the training.

    Attributes:
        backbone: The backbone to evaluate.
    """

    def __init__(self, ours: Any, params: Mapping[str, Any], steps_per_epoch: int, total_steps: int) -> None:
        super().__init__()
        self.backbone = copy.deepcopy(ours.backbone)
        self.steps_per_epoch = steps_per_epoch
        self.total_steps = total_steps
        self.step = 0
        self.build(ours, params, self.backbone.num_features)

    def build(self, ours: Any, params: Mapping[str, Any], width: int) -> None:
        """Build the heads for features (N, width), and the loss."""
        raise NotImplementedError

    def training_step(self, batch: sslreg.Batch) -> Tensor:
        """Return the loss of a batch."""
        raise NotImplementedError

    def before_step(self) -> None:
        """Change gradients before the optimizer step."""

    def after_step(self) -> None:
        self.step += 1

    @property
    def epoch(self) -> int:
        return self.step // self.steps_per_epoch


class TwoViews(LightlyMethod):
    """A projection head, and a loss that compares two views."""

    head: type[nn.Module]
    loss: type[nn.Module]

    def build(self, ours: Any, params: Mapping[str, Any], width: int) -> None:
        # lightly's heads of three layers take the width of both hidden layers once.
        *hidden, output = params["projection"]
        self.projection_head = copy_weights(ours.projection, self.head(width, hidden[0], output))
        self.criterion = self.loss()

    def training_step(self, batch: sslreg.Batch) -> Tensor:
        z0, z1 = (self.projection_head(self.backbone(view)) for view in batch.views)
        value: Tensor = self.criterion(z0, z1)
        return value


class SimCLR(TwoViews):
    head, loss = SimCLRProjectionHead, NTXentLoss


class BarlowTwins(TwoViews):
    head, loss = BarlowTwinsProjectionHead, BarlowTwinsLoss


class VICReg(TwoViews):
    head, loss = VICRegProjectionHead, VICRegLoss


class BYOL(LightlyMethod):
    def build(self, ours: Any, params: Mapping[str, Any], width: int) -> None:
        hidden, output = params["projection"]
        self.projection_head = copy_weights(ours.projection, BYOLProjectionHead(width, hidden, output))
        self.prediction_head = copy_weights(
            ours.prediction, BYOLPredictionHead(output, params["prediction"][0], output)
        )
        self.teacher_backbone = copy.deepcopy(self.backbone)
        self.teacher_projection_head = copy.deepcopy(self.projection_head)
        deactivate_requires_grad(self.teacher_backbone)
        deactivate_requires_grad(self.teacher_projection_head)
        self.momentum = params["momentum"]
        self.criterion = NegativeCosineSimilarity()

    def training_step(self, batch: sslreg.Batch) -> Tensor:
        momentum = cosine_schedule(self.step, self.total_steps, self.momentum, 1.0)
        update_momentum(self.backbone, self.teacher_backbone, m=momentum)
        update_momentum(self.projection_head, self.teacher_projection_head, m=momentum)
        p0, p1 = (self.prediction_head(self.projection_head(self.backbone(view))) for view in batch.views)
        with torch.no_grad():
            z0, z1 = (self.teacher_projection_head(self.teacher_backbone(view)) for view in batch.views)
        value: Tensor = 2 * self.criterion(z0, p1) + 2 * self.criterion(z1, p0)
        return value


class SwAV(LightlyMethod):
    def build(self, ours: Any, params: Mapping[str, Any], width: int) -> None:
        hidden, output = params["projection"]
        self.projection_head = copy_weights(ours.projection, SwaVProjectionHead(width, hidden, output))
        self.prototypes = SwaVPrototypes(output, params["prototypes"], n_steps_frozen_prototypes=1)
        # lightly's prototypes have biases, unlike the paper's. They start at random.
        self.prototypes.heads[0].weight.data.copy_(ours.prototypes.weight)
        self.criterion = SwaVLoss()

    def training_step(self, batch: sslreg.Batch) -> Tensor:
        self.prototypes.normalize()
        projections = [normalize(self.projection_head(self.backbone(view)), dim=1) for view in batch.views]
        logits = [self.prototypes(each, step=self.epoch) for each in projections]
        count = len(batch.views_of("global"))
        value: Tensor = self.criterion(logits[:count], logits[count:]).squeeze()
        return value


class DINO(LightlyMethod):
    def build(self, ours: Any, params: Mapping[str, Any], width: int) -> None:
        hidden, _, bottleneck = params["projection"]
        self.student_backbone = copy.deepcopy(ours.student_backbone)
        widths = {
            "input_dim": width,
            "hidden_dim": hidden,
            "bottleneck_dim": bottleneck,
            "output_dim": params["out_dim"],
        }
        self.student_head = DINOProjectionHead(**widths, batch_norm=params["batch_norm"], freeze_last_layer=1)
        self.teacher_head = DINOProjectionHead(**widths, batch_norm=params["batch_norm"])
        copy_weights(ours.student_head.layers, self.student_head.layers)
        self.student_head.last_layer.weight_v.data.copy_(ours.student_head.last_layer.weight)
        self.teacher_head.load_state_dict(self.student_head.state_dict())
        deactivate_requires_grad(self.backbone)
        deactivate_requires_grad(self.teacher_head)
        self.momentum = params["momentum"]
        self.criterion = DINOLoss(params["out_dim"])

    def training_step(self, batch: sslreg.Batch) -> Tensor:
        momentum = cosine_schedule(self.step, self.total_steps, self.momentum, 1.0)
        update_momentum(self.student_backbone, self.backbone, m=momentum)
        update_momentum(self.student_head, self.teacher_head, m=momentum)
        global_views, local_views = batch.views_of("global"), batch.views_of("local")
        with torch.no_grad():
            teacher = self.teacher_head(self.backbone(torch.cat(global_views)))
        student = torch.cat(
            [self.student_head(self.student_backbone(torch.cat(views))) for views in (global_views, local_views)]
        )
        value: Tensor = self.criterion(teacher.chunk(len(global_views)), student.chunk(len(batch.views)))
        return value

    def before_step(self) -> None:
        self.student_head.cancel_last_layer_gradients(self.epoch)


def copy_weights(source: nn.Module, target: nn.Module) -> nn.Module:
    """Copy the weights of all layers, in their order, and return the target.

    Raises:
        ValueError: The modules have different layers.
    """
    layers = (
        [each for each in side.modules() if any(True for _ in each.parameters(False))] for side in (source, target)
    )
    for before, after in zip(*layers, strict=True):
        after.load_state_dict(before.state_dict())
    return target
