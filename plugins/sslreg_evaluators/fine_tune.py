"""Fine-tuning of the whole backbone."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field

import sslreg
from sslreg_evaluators._average_precision import mean_average_precision
from sslreg_evaluators._classification import require_labels, require_same_kind, top_accuracies
from sslreg_evaluators._fine_tuning import Recipe, fine_tune


class FineTune(sslreg.BackboneEvaluator):
    """Accuracy after training a copy of the backbone and a linear head on the labels of the reference set.

    AdamW trains all parameters, also those of `frozen_stages`, with decayed rates (BEiT, arXiv 2106.08254; MAE, arXiv
    2111.06377, table 9): of L stages, which are the blocks of a Vision Transformer, stage k has the rate lr *
    layer_decay^(L + 1 - k). A backbone that does not tell its stages has one rate. The rate rises linearly and then
    follows a half cosine to 0. The last epoch is evaluated: the test set selects nothing. The untrained backbone is
    thereby trained from scratch with the same images, and raw pixels have no figure.

    The backbone drops branches (`drop_path`) as its entry in the spec says, and mixed precision is that of the run. An
    interrupted evaluation resumes after its last epoch.

    Metrics: ``top1`` and, for more than five classes, ``top5``, with Wilson's interval over test samples. For samples
    with several labels, the loss is the binary cross-entropy of each class, and the metric is ``map``, the mean over
    classes of the average precision, with a bootstrap interval. No interval covers another training.

    Args:
        epochs: The number of epochs.
        batch_size: The number of images per step; the whole reference set if that is smaller.
        lr: The learning rate for 256 images per step. It is scaled linearly with the batch size.
        weight_decay: The weight decay, except for biases and normalization layers.
        layer_decay: The quotient of the learning rates of neighboring layers; 1 trains all layers with the same rate.
        warmup_epochs: The number of epochs in which the rate rises; fewer than `epochs`.
        label_smoothing: The share of the target that is distributed over all classes.
        view: The augmentations that make the view of a training image, including resizing and normalization. By
            default, the operations of the main view of the spec that move pixels, such as crops and flips, and then
            those of the embedding view that change values, such as normalization.

    Raises:
        ValueError: The warm-up is too long, the reference set has a single class, or the training diverges.
    """

    takes_label_sets = True

    def __init__(
        self,
        epochs: Annotated[int, Field(ge=1)] = 20,
        batch_size: Annotated[int, Field(ge=2)] = 64,
        lr: Annotated[float, Field(gt=0)] = 2e-3,
        weight_decay: Annotated[float, Field(ge=0)] = 0.05,
        layer_decay: Annotated[float, Field(gt=0, le=1)] = 0.75,
        warmup_epochs: Annotated[float, Field(ge=0)] = 2,
        label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1,
        view: list[sslreg.Augmentation] | None = None,
    ) -> None:
        if warmup_epochs and warmup_epochs >= epochs:
            raise ValueError(f"warmup_epochs is {warmup_epochs:g}, but must be less than epochs, {epochs}")
        self.recipe = Recipe(epochs, batch_size, lr, weight_decay, layer_decay, warmup_epochs, label_smoothing, view)

    def evaluate_backbone(
        self, reference: sslreg.Embeddings, test: sslreg.Embeddings, run: sslreg.BackboneRun
    ) -> dict[str, float]:
        labels, targets = require_labels(reference, "reference"), require_labels(test, "test")
        if require_same_kind(labels, targets):
            network = fine_tune(run, self.recipe, labels.shape[1], lambda batch: batch)
            return mean_average_precision(run.predict(network), targets)
        classes = torch.unique(labels)
        if len(classes) < 2:
            raise ValueError("the reference set has a single class, so there is nothing to tell apart")
        numbers = classes.to(run.device)
        network = fine_tune(run, self.recipe, len(classes), lambda batch: torch.searchsorted(numbers, batch))
        ranked = classes[run.predict(network).topk(min(5, len(classes)), dim=1).indices]
        return top_accuracies(ranked, targets, len(classes))
