"""A whole run's objects, assembled from its spec and checked against its data before anything is written."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from sslreg.assembly.builder import Builder
from sslreg.assembly.sample_dataset import SampleDataset
from sslreg.assembly.view_plans import build_collate, build_embed_collate, first_view
from sslreg.contracts import Evaluator, Loss, Model
from sslreg.spec import ComponentSpec, Spec
from sslreg.views import Collate

#: So many samples may be asked for one that can be read, before a run starts.
TRIED = 8


@dataclass(frozen=True)
class NamedEvaluator:
    """An evaluator under the name that its figures carry, and every how many epochs it runs (None: at the end)."""

    name: str
    evaluator: Evaluator
    every: int | None
    component: ComponentSpec


@dataclass
class Pipeline:
    """What a run trains and evaluates with.

    reference, test: what evaluators fit on and judge by, where the spec has evaluators. learning_rate: that of the
    first parameter group before any schedule.
    """

    spec: Spec
    builder: Builder
    train: SampleDataset
    reference: SampleDataset | None
    test: SampleDataset | None
    collate: Collate
    embed_collate: Collate
    model: Model
    loss: Loss
    evaluators: list[NamedEvaluator]
    learning_rate: float = math.nan

    @property
    def facts(self) -> dict[str, Any]:
        """What is known of the run, by `FromRun`'s names."""
        return self.builder.facts

    def build_optimizer(self) -> Optimizer:
        """The optimizer, its learning rates scaled to the samples behind a step if the spec says so."""
        optimizer: Optimizer = self.builder.build(self.spec.optimizer, list(self.model.parameter_groups()))
        if (scale := self.spec.learning_rate_scale) != 1:
            for group in optimizer.param_groups:
                group["lr"] *= scale
        return optimizer

    def build_schedule(self, optimizer: Optimizer) -> Any:
        """A torch learning-rate scheduler that is stepped with the optimizer, or None."""
        return None if self.spec.schedule is None else self.builder.build(self.spec.schedule, optimizer)


def assemble(spec: Spec, *, world_size: int = 1, device: torch.device | str | None = None) -> Pipeline:
    """Build everything that a run needs. UserError, at its place in the spec: something does not fit."""
    builder = Builder(spec, {"world_size": world_size, "batch_size": spec.data.batch_size})
    train = SampleDataset(builder.build(spec.data.train))
    _learn_sizes(builder, train)
    # Where broken images are passed over, the very first may be one.
    tried = [train[index] for index in range(min(TRIED, len(train)) if spec.data.on_error == "skip" else 1)]
    view = first_view(build_collate(spec), tried)
    _learn_shape(builder, view)
    evaluators = named_evaluators(builder)
    reference, test = evaluation_sets(builder, evaluators, train) if evaluators else (None, None)
    model, loss = build_model(builder), build_loss(builder)
    embed_collate = build_embed_collate(spec)
    for images in (view, first_view(embed_collate, tried)):
        _try(builder, model, images)
    pipeline = Pipeline(
        spec=spec,
        builder=builder,
        train=train,
        reference=reference,
        test=test,
        collate=build_collate(spec, device),
        embed_collate=embed_collate,
        model=model,
        loss=loss,
        evaluators=evaluators,
    )
    # Once now, so that what they refuse is known before anything is written; the trainer builds its own.
    optimizer = pipeline.build_optimizer()
    pipeline.learning_rate = float(optimizer.param_groups[0]["lr"])
    pipeline.build_schedule(optimizer)
    return pipeline


def build_model(builder: Builder) -> Model:
    """The spec's model with the weights that its seed gives; the facts then know its widths."""
    model: Model = _built_by_seed(builder, builder.spec.model)
    builder.facts.update(num_features=model.backbone.num_features, embedding_dim=model.embedding_dim)
    return model


def build_loss(builder: Builder) -> Loss:
    """The spec's loss, whose bank fits the model's embeddings: the model is built first."""
    loss: Loss = _built_by_seed(builder, builder.spec.loss)
    return loss


def _built_by_seed(builder: Builder, component: ComponentSpec) -> Any:
    """A component whose random start depends on the spec's seed alone; torch's generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(builder.spec.seed)
        return builder.build(component)


def _try(builder: Builder, model: Model, images: Tensor) -> None:
    """Embed images, so that a size or a number of channels that the backbone cannot take is known now."""
    model.eval()
    try:
        with torch.inference_mode():
            model.embed(images)
    except (RuntimeError, ValueError, AssertionError) as error:
        raise builder.spec.error(
            (*builder.spec.model.path, "backbone"),
            "image-shape",
            f"the backbone cannot take images of (C, H, W) = {tuple(images.shape[1:])}: {error}",
            "change the size in views (and embed_view), data.channels, or the backbone",
        ) from error
    finally:
        model.train()


def _learn_sizes(builder: Builder, train: SampleDataset) -> None:
    """Add what the data set's length and the batch size tell: samples, classes, steps."""
    spec, facts = builder.spec, builder.facts
    samples, batch, world = len(train), spec.data.batch_size, facts["world_size"]
    if batch > samples:
        raise spec.error(
            ("data", "batch_size"),
            "batch-too-large",
            f"a batch of {batch} is larger than the training set, which has {samples} samples",
            f"use data.batch_size: {samples} or less",
        )
    if batch % world:
        raise spec.error(
            ("data", "batch_size"),
            "batch-not-divisible",
            f"a batch of {batch} cannot be shared evenly by {world} processes",
            f"use a multiple of {world}, such as {math.ceil(batch / world) * world}",
        )
    if train.has_targets and train.classes is not None:
        facts["num_classes"] = len(train.classes)
    steps = _limited(samples // batch, spec.trainer.get("limit_train_batches"))
    facts["num_samples"] = samples
    facts["steps_per_epoch"] = math.ceil(steps / spec.trainer.get("accumulate_grad_batches", 1))
    facts["total_steps"] = _total_steps(spec, facts["steps_per_epoch"])


def _limited(batches: int, limit: int | float | None) -> int:
    """Lightning's meaning of ``limit_train_batches``: a number of batches, or a share of them."""
    if limit is None:
        return batches
    return min(batches, limit) if isinstance(limit, int) else int(batches * limit)


def _total_steps(spec: Spec, steps_per_epoch: int) -> int:
    epochs, steps = spec.trainer.get("max_epochs"), spec.trainer.get("max_steps", -1)
    if epochs is None and steps == -1:
        raise spec.error(
            ("trainer",), "no-end", "nothing says how long to train", "add trainer.max_epochs, for example 200"
        )
    bounds = ([] if epochs is None else [epochs * steps_per_epoch]) + ([] if steps == -1 else [steps])
    return int(min(bounds))


def _learn_shape(builder: Builder, view: Tensor) -> None:
    """Add what a view (N, C, H, W) looks like."""
    _, channels, height, width = view.shape
    builder.facts.update(in_channels=channels, image_size=max(height, width))


def named_evaluators(builder: Builder) -> list[NamedEvaluator]:
    """The spec's evaluators."""
    return [
        NamedEvaluator(
            component.keys["as"] or component.info.name, builder.build(component), component.keys["every"], component
        )
        for component in builder.spec.evaluate
    ]


def evaluation_sets(
    builder: Builder, evaluators: list[NamedEvaluator], train: SampleDataset | None = None
) -> tuple[SampleDataset, SampleDataset]:
    """What evaluators fit on (the training set, unless the spec names another) and what they are tested on.

    train: the training set, where it has been built. UserError: there is no test set, or labels are missing.
    """
    spec = builder.spec
    if spec.data.test is None:
        raise spec.error(
            ("evaluate",), "no-test-set", "there is nothing to evaluate on", "name a data set under data.test"
        )
    if spec.data.reference is None and train is not None:
        reference = train
    else:
        reference = SampleDataset(builder.build(spec.data.reference or spec.data.train))
    test = SampleDataset(builder.build(spec.data.test))
    for named in evaluators:
        for role, samples in (("reference", reference), ("test", test)):
            if named.evaluator.needs_targets and not samples.has_targets:
                raise spec.error(
                    named.component.path,
                    "no-labels",
                    f"{named.name} needs labels, and the {role} set has none",
                    f"name a data set with labels under data.{role}",
                )
    _same_classes(spec, reference, test)
    return reference, test


def _same_classes(spec: Spec, reference: SampleDataset, test: SampleDataset) -> None:
    """Two folders number their own subfolders; where one lacks a class, the same number means another one."""
    if reference.classes is None or test.classes is None or reference.classes == test.classes:
        return
    differing = sorted({*reference.classes} ^ {*test.classes})
    named = ", ".join(repr(name) for name in differing[:5]) or "their order"
    raise spec.error(
        ("data", "test"),
        "classes-differ",
        f"the reference and the test set number different classes: they differ in {named}",
        "leave out, on both sides, the classes that one of them lacks",
    )
