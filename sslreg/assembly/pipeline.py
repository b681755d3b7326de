"""Assembles the objects of a run from its spec, and checks that they fit its data, before anything is written."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch.optim import Optimizer

from sslreg.assembly.builder import Builder, build_seeded, find_loaded_weights, without_weights
from sslreg.assembly.collate_functions import build_collate, build_embed_collate, make_views
from sslreg.assembly.component_failures import blame_components
from sslreg.assembly.data_split import DatasetBuilder
from sslreg.assembly.evaluators import (
    Guard,
    NamedEvaluator,
    build_evaluation_sets,
    build_evaluators,
    build_guard,
    require_leading_geometry,
    require_patch_backbone,
)
from sslreg.assembly.model_trial import enable_gradient_checkpointing, require_momentum_precision, try_embedding
from sslreg.assembly.parameter_groups import list_parameter_groups
from sslreg.assembly.run_facts import add_dataset_facts, add_model_facts, add_view_facts
from sslreg.assembly.sample_dataset import SampleDataset
from sslreg.contracts import LoadedWeights, Loss, Model
from sslreg.spec import Spec
from sslreg.views import Collate

#: How many samples are loaded before a run starts if unreadable ones are skipped.
_PROBED_SAMPLES = 8


@dataclass
class Pipeline:
    """The objects with which a run trains and evaluates.

    Attributes:
        spec: the spec.
        builder: builds the components of the spec.
        datasets: the data sets by their roles.
        train: the training set.
        reference: the data set on which evaluators fit; None if the spec has no evaluators.
        test: the data set on which evaluators test; None if the spec has no evaluators.
        collate: makes batches for training.
        embed_collate: makes batches for embedding.
        model: the model.
        loss: the loss.
        evaluators: the evaluators.
        guard: what guards the training against forgetting; None without.
        learning_rate: the learning rate of the first parameter group, before any schedule.
    """

    spec: Spec
    builder: Builder
    datasets: dict[str, SampleDataset]
    train: SampleDataset
    reference: SampleDataset | None
    test: SampleDataset | None
    collate: Collate
    embed_collate: Collate
    model: Model
    loss: Loss
    evaluators: list[NamedEvaluator]
    guard: Guard | None = None
    learning_rate: float = math.nan

    @property
    def facts(self) -> dict[str, Any]:
        """The facts of the run, by their names in `sslreg.spec.from_run.FACTS`."""
        return self.builder.facts

    @property
    def loaded_weights(self) -> dict[str, LoadedWeights]:
        """The weights from which backbones start, by the paths of the backbones in the spec."""
        return find_loaded_weights(self.spec, {"model": self.model, "loss": self.loss})

    def build_optimizer(self) -> Optimizer:
        """Build the optimizer, with learning rates scaled by the spec's `learning_rate_scale` and each `lr_scale`."""
        optimizer: Optimizer = self.builder.build(self.spec.optimizer, list_parameter_groups(self.spec, self.model))
        for group in optimizer.param_groups:
            group["lr"] *= self.spec.learning_rate_scale * group.get("lr_scale", 1)
        return optimizer

    def build_schedules(self, optimizer: Optimizer) -> list[Any]:
        """Build the schedulers, which are stepped with the optimizer."""
        return [self.builder.build(schedule, optimizer) for schedule in self.spec.schedule or ()]


def assemble(spec: Spec, *, world_size: int = 1, device: torch.device | str | None = None) -> Pipeline:
    """Build everything that a run needs.

    Args:
        spec: the spec.
        world_size: the number of processes that train together.
        device: where views are finished, see `build_collate`.

    Raises:
        UserError: something does not fit; the error has its location in the spec.
    """
    builder = Builder(spec, {"world_size": world_size, "batch_size": spec.data.batch_size})
    datasets = DatasetBuilder(builder)
    train = datasets.build("train")
    add_dataset_facts(builder, train)
    # If unreadable images are skipped, the first one may be unreadable.
    count = min(_PROBED_SAMPLES, len(train)) if spec.data.on_error == "skip" else 1
    samples = [train[index] for index in range(count)]
    views = make_views(build_collate(spec), samples)
    add_view_facts(builder, views)
    evaluators = build_evaluators(builder)
    reference, test = build_evaluation_sets(builder, evaluators, datasets) if evaluators else (None, None)
    guard = build_guard(builder, datasets)
    judges = evaluators if guard is None else [*evaluators, guard.evaluator]
    model, loss = build_model(builder), build_loss(builder)
    require_momentum_precision(spec, model)
    enable_gradient_checkpointing(spec, model)
    require_class_numbers(spec, loss, train)
    require_patch_backbone(spec, judges, model)
    require_leading_geometry(spec, judges)
    embed_collate = build_embed_collate(spec)
    images = [*views, *make_views(embed_collate, samples)]
    for same_shape in {one.shape: one for one in images}.values():
        with blame_components(spec):
            try_embedding(spec, (*spec.model.path, "backbone"), model, same_shape)
    pipeline = Pipeline(
        spec=spec,
        builder=builder,
        datasets=datasets.built,
        train=train,
        reference=reference,
        test=test,
        collate=build_collate(spec, device),
        embed_collate=embed_collate,
        model=model,
        loss=loss,
        evaluators=evaluators,
        guard=guard,
    )
    # Build these once now, so that their errors appear before anything is written; the trainer builds its own.
    optimizer = pipeline.build_optimizer()
    pipeline.learning_rate = float(optimizer.param_groups[0]["lr"])
    pipeline.build_schedules(optimizer)
    return pipeline


def build_model(builder: Builder, *, read_weights: bool = True) -> Model:
    """Build the spec's model with weights that depend on its seed alone, and add the model's widths to the facts.

    Args:
        builder: builds the components.
        read_weights: whether backbones start from the `weights` that the spec names.
    """
    component = builder.spec.model
    model: Model = build_seeded(builder, component if read_weights else without_weights(component))
    add_model_facts(builder, model)
    return model


def build_loss(builder: Builder) -> Loss:
    """Build the spec's loss; the model has to be built first, since a memory bank needs the width of its embeddings."""
    loss: Loss = build_seeded(builder, builder.spec.loss)
    return loss


def require_class_numbers(spec: Spec, loss: Loss, train: SampleDataset) -> None:
    """Refuse a loss that compares classes if the training set does not have them."""
    if loss.takes == "labeled views" and not train.has_targets:
        several = "several labels for each" if train.has_label_sets else "no labels"
        given = "segmentation masks" if train.has_masks else several
        raise spec.error(
            spec.loss.path,
            "no-class-numbers",
            f"loss {spec.loss.use!r} needs a class number for each image, but the training set has {given}",
            "use a loss without labels, or name a data set with class numbers under data.train",
        )
