"""Finds the augmentation that makes pixels that are not finite, by making batches again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import lightning.pytorch as lightning
import torch
from torch import Tensor

from sslreg.assembly import Pipeline, ReplaceUnreadable
from sslreg.contracts import Batch
from sslreg.contracts.augmentation import Images
from sslreg.errors import SslregError
from sslreg.training.checkpoints.random_states import preserve_generators
from sslreg.training.data_loader import build_sampler
from sslreg.training.distributed.collectives import all_gather_object
from sslreg.views import Collate, DeferredView, Draw

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NonFiniteCause:
    """An augmentation that returned an image with values that are not finite.

    Attributes:
        augmentation: The augmentation, with its package.
        place: The view, the sample, the epoch and the step.
    """

    augmentation: str
    place: str

    def __str__(self) -> str:
        return f"{self.augmentation} returns an image with values that are not finite: {self.place}"

    def as_error(self) -> SslregError:
        """Return the cause as an error."""
        hint = "fix or remove the augmentation; engine.on_nan: skip omits such batches"
        return SslregError(str(self), hint=hint, code="augmentation")


class NonFiniteSearch:
    """A search for the cause of numbers that are not finite, in the batches that this process has trained on.

    The draws of a sample depend on its epoch and index alone, so its views can be made again exactly.

    Args:
        pipeline: The data set and the collate function.
        trainer: The trainer, which knows the device and the rank.
    """

    def __init__(self, pipeline: Pipeline, trainer: lightning.Trainer) -> None:
        self.pipeline = pipeline
        self.trainer = trainer

    def find(self, *steps: int) -> NonFiniteCause | None:
        """Return the cause if the views of a step are not finite; None if they are, or cannot be made again.

        Args:
            steps: The numbers of the steps to search, from 1. Others are ignored.
        """
        try:
            with preserve_generators(), torch.no_grad():
                found = (self._find_in_batch(step, *at) for step in steps if step > 0 for at in self._batches(step))
                return next((cause for cause in found if cause is not None), None)
        except Exception as error:  # noqa: BLE001  (the numbers that are not finite are the failure to report)
            log.debug("the batches of steps %s cannot be made again: %s", steps, error)
            return None

    def _batches(self, step: int) -> Iterator[tuple[int, int]]:
        """Yield the epoch and the number of each batch of a step."""
        spec, facts = self.pipeline.spec, self.pipeline.facts
        accumulated = spec.trainer.get("accumulate_grad_batches", 1)
        epoch, number = divmod(step - 1, facts["steps_per_epoch"])
        end = min((number + 1) * accumulated, facts["num_samples"] // spec.data.batch_size)
        return ((epoch, batch) for batch in range(number * accumulated, end))

    def _find_in_batch(self, step: int, epoch: int, number: int) -> NonFiniteCause | None:
        pipeline, trainer = self.pipeline, self.trainer
        sampler = build_sampler(pipeline, trainer.global_rank, trainer.world_size, epoch, number)
        samples = [pipeline.train[key] for key in islice(sampler, sampler.share)]
        collate = _TracingCollate(pipeline.collate, trainer.strategy.root_device)
        batch = ReplaceUnreadable(collate, pipeline.train)(samples)
        assert isinstance(batch, Batch)
        for view, trace in collate.traces.items():
            if (found := _find_origin(trace)) is not None:
                row, operation = found
                index = int(batch.indices[row])
                name = pipeline.train.name(index)
                sample = f"sample {index}" if name == str(index) else f"sample {index} ({name})"
                place = f"view {view} of {sample}, in epoch {epoch}, step {step}"
                return NonFiniteCause(str(pipeline.collate.views[view].steps[operation]), place)
        return None


def share_cause(cause: NonFiniteCause | None) -> NonFiniteCause | None:
    """Return the cause that the first process has found, in all processes. A collective call."""
    return next((one for one in all_gather_object(cause) if one is not None), None)


class _TracingCollate(Collate):
    """A collate function that runs the steps of each view one by one, and notes which images are finite.

    Args:
        collate: The collate function to repeat.
        device: The device on which it finishes views.

    Attributes:
        traces: For each view whether its images are finite, bool (1 + steps, N): at the start and after each step.
    """

    def __init__(self, collate: Collate, device: torch.device) -> None:
        super().__init__(
            collate.views,
            seed=collate.seed,
            channels=collate.channels,
            on_error=collate.on_error,
            readers=collate.readers,
        )
        self.traces: dict[int, Tensor] = {}
        self._finishing_device = device
        self._steps_on_host = collate.steps_on_host

    def make_view(self, number: int, images: Images, draws: list[Draw]) -> DeferredView:
        plan = self.views[number]
        trace = [_are_finite(images)]
        for step in range(len(plan.steps)):
            if step == self._steps_on_host[number]:
                images = _move(images, self._finishing_device)
            images = plan.run(images, draws, range(step, step + 1))
            trace.append(_are_finite(images))
        self.traces[number] = torch.stack(trace)
        return DeferredView(plan, _move(images, torch.device("cpu")), draws, len(plan.steps))


def _find_origin(trace: Tensor) -> tuple[int, int] | None:
    """Return the first image whose view is not finite, and the step that made it so; None if all are finite.

    All images are finite before the first step, because loading refuses others.
    """
    rows = (~trace[-1]).nonzero().flatten()
    return (int(rows[0]), int(trace[:, rows[0]].nonzero()[-1])) if len(rows) else None


def _are_finite(images: Images) -> Tensor:
    """Return whether each image is finite, bool (N,)."""
    return torch.stack([image.isfinite().all().cpu() for image in images])


def _move(images: Images, device: torch.device) -> Images:
    return images.to(device) if isinstance(images, Tensor) else [image.to(device) for image in images]
