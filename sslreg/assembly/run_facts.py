"""Computes the facts of a run, such as its number of steps, which components ask for with `FromRun`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from sslreg.assembly.builder import Builder
from sslreg.assembly.sample_dataset import SampleDataset
from sslreg.contracts import FrozenModule, Model
from sslreg.spec import Spec


def add_dataset_facts(builder: Builder, train: SampleDataset) -> None:
    """Add the facts that follow from the training set and the batch size: samples, classes, steps.

    Raises:
        UserError: the batch size does not fit the training set or the number of processes, or the spec does not say
            how long to train.
    """
    spec, facts = builder.spec, builder.facts
    samples, batch_size, world_size = len(train), spec.data.batch_size, facts["world_size"]
    if batch_size > samples:
        raise spec.error(
            ("data", "batch_size"),
            "batch-too-large",
            f"a batch of {batch_size} is larger than the training set, which has {samples} samples",
            f"use data.batch_size: {samples} or less",
        )
    require_divisible_batch(spec, world_size)
    if train.has_targets and train.classes is not None:
        facts["num_classes"] = len(train.classes)
    limit = spec.trainer.get("limit_train_batches")
    batches = _limit_batches(samples // batch_size, limit)
    if limit and not batches:
        raise spec.error(
            ("trainer", "limit_train_batches"),
            "no-batches",
            f"a share of {limit} of {samples // batch_size} batches is less than one batch",
            "raise trainer.limit_train_batches, or write a whole number of batches",
        )
    facts["num_samples"] = samples
    facts["steps_per_epoch"] = math.ceil(batches / spec.trainer.get("accumulate_grad_batches", 1))
    facts["total_steps"] = _count_total_steps(spec, facts["steps_per_epoch"])


def require_divisible_batch(spec: Spec, world_size: int) -> None:
    """Refuse a batch size that is not a multiple of the number of processes."""
    batch_size = spec.data.batch_size
    if batch_size % world_size:
        raise spec.error(
            ("data", "batch_size"),
            "batch-not-divisible",
            f"a batch of {batch_size} cannot be divided evenly among {world_size} processes",
            f"use a multiple of {world_size}, such as {math.ceil(batch_size / world_size) * world_size}",
        )


def add_view_facts(builder: Builder, views: Sequence[Tensor]) -> None:
    """Add the facts that follow from the views (N, C, H, W)."""
    builder.facts.update(in_channels=views[0].shape[1], image_size=max(max(view.shape[2:]) for view in views))


def add_model_facts(builder: Builder, model: Model) -> None:
    """Add the facts that follow from the model.

    Raises:
        UserError: the backbone that is used after training is frozen.
    """
    if isinstance(model.backbone, FrozenModule):
        raise builder.spec.error(
            builder.spec.model.path,
            "frozen-backbone",
            f"the backbone of {builder.spec.model.use!r} is frozen, so checkpoints would not hold its weights",
            "use sslreg.frozen only for teachers, and requires_grad_(False) for layers of the backbone",
        )
    builder.facts.update(num_features=model.backbone.num_features, embedding_dim=model.embedding_dim)


def _limit_batches(batches: int, limit: int | float | None) -> int:
    """Apply Lightning's ``limit_train_batches``: an int is a number of batches, a float a share of them."""
    if limit is None:
        return batches
    return min(batches, limit) if isinstance(limit, int) else int(batches * limit)


def require_end(spec: Spec) -> None:
    """Refuse a spec that does not say how long to train."""
    if spec.trainer.get("max_epochs") is None and spec.trainer.get("max_steps", -1) == -1:
        raise spec.error(
            ("trainer",), "no-end", "the spec does not say how long to train", "add trainer.max_epochs, for example 200"
        )


def _count_total_steps(spec: Spec, steps_per_epoch: int) -> int:
    epochs, steps = spec.trainer.get("max_epochs"), spec.trainer.get("max_steps", -1)
    require_end(spec)
    limits = ([] if epochs is None else [epochs * steps_per_epoch]) + ([] if steps == -1 else [steps])
    return int(min(limits))
