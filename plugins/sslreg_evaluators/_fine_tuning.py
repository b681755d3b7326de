"""The training of a backbone with a linear head, from which `fine_tune` predicts classes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

import sslreg

#: The number of samples per step for which the learning rate is stated.
BASE_BATCH_SIZE = 256

#: The standard deviation of the initial weights of the head, as in the code of MAE.
HEAD_STD = 2e-5


@dataclass(frozen=True)
class Recipe:
    """The hyperparameters of a fine-tuning; see `FineTune`."""

    epochs: int
    batch_size: int
    lr: float
    weight_decay: float
    layer_decay: float
    warmup_epochs: float
    label_smoothing: float
    view: Sequence[sslreg.Augmentation] | None = None


def fine_tune(
    run: sslreg.BackboneRun, recipe: Recipe, outputs: int, make_targets: Callable[[Tensor], Tensor]
) -> nn.Module:
    """Train a copy of the evaluated backbone with a linear head, and return both in eval mode.

    Args:
        run: provides the backbone and the images.
        recipe: the hyperparameters.
        outputs: the number of scores.
        make_targets: converts the targets of a batch to classes (N,), int64 from 0, or to labels (N, outputs), bool.

    Raises:
        ValueError: the loss is not finite.
    """
    training = _Training(run, recipe, outputs)
    first = training.load(run.load_state())
    for epoch, batches in run.reference_epochs(range(first, recipe.epochs), recipe.batch_size, recipe.view):
        # A resumed training draws as one that was not interrupted.
        torch.manual_seed(epoch)
        for number, batch in enumerate(batches):
            assert batch.targets is not None
            run.report(epoch * len(batches) + number, recipe.epochs * len(batches))
            loss = training.step(batch.views[0], make_targets(batch.targets), epoch + number / len(batches))
            if number == len(batches) - 1 and not math.isfinite(float(loss)):
                raise ValueError(f"the loss is not finite in epoch {epoch}; lower lr, {recipe.lr:g}")
        if epoch + 1 < recipe.epochs:
            run.save_state(training.state(epoch + 1))
    return training.network.eval()


def rate_factor(epoch: float, recipe: Recipe) -> float:
    """Return the factor of the learning rate: a linear warm-up, then a half cosine to 0.

    Args:
        epoch: how many epochs are done, with a fraction.
        recipe: the hyperparameters.
    """
    if epoch < recipe.warmup_epochs:
        return epoch / recipe.warmup_epochs
    progress = (epoch - recipe.warmup_epochs) / (recipe.epochs - recipe.warmup_epochs)
    return 0.5 * (1 + math.cos(math.pi * progress))


class _Training:
    """The network, the optimizer and the precision of a training."""

    def __init__(self, run: sslreg.BackboneRun, recipe: Recipe, outputs: int) -> None:
        self.recipe, self.device, self.dtype = recipe, run.device, run.autocast_dtype
        backbone = run.backbone()
        head = nn.Linear(backbone.num_features, outputs).to(run.device)
        nn.init.trunc_normal_(head.weight, std=HEAD_STD)
        nn.init.zeros_(head.bias)
        self.network = nn.Sequential(backbone, head)
        groups = [*_group_by_depth(backbone, recipe.layer_decay), *sslreg.split_weight_decay(head)]
        self.optimizer = torch.optim.AdamW(groups, weight_decay=recipe.weight_decay)
        self.scaler = torch.amp.GradScaler(run.device.type, enabled=self.dtype == torch.float16)

    def step(self, images: Tensor, targets: Tensor, epoch: float) -> Tensor:
        """Train one step and return the loss."""
        lr = self.recipe.lr * len(images) / BASE_BATCH_SIZE * rate_factor(epoch, self.recipe)
        for group in self.optimizer.param_groups:
            group["lr"] = lr * group.get("lr_scale", 1.0)
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not None):
            scores = self.network(images)
        loss = _loss(scores.float(), targets, self.recipe.label_smoothing)
        self.optimizer.zero_grad()
        torch.autograd.backward(self.scaler.scale(loss))
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss.detach()

    def state(self, epoch: int) -> dict[str, Any]:
        """Return the state after some epochs."""
        return {
            "epoch": epoch,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def load(self, state: dict[str, Any] | None) -> int:
        """Restore a state, and return the number of epochs that are done."""
        if state is None:
            return 0
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        return int(state["epoch"])


def _group_by_depth(backbone: sslreg.Backbone, decay: float) -> list[dict[str, Any]]:
    """Return the groups for the optimizer; a backbone that does not tell its depths has one rate."""
    try:
        backbone.parameters_by_depth()
    except ValueError:
        return sslreg.split_weight_decay(backbone)
    return sslreg.layer_decay(backbone, decay)


def _loss(scores: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
    if targets.ndim == 2:
        return binary_cross_entropy_with_logits(scores, targets.float())
    return cross_entropy(scores, targets, label_smoothing=label_smoothing)
