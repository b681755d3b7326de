"""Adapts any data set to one of `Sample`s that are indexed by epoch and index."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
import torch.utils.data

from sslreg.contracts import Dataset, Sample, as_sample
from sslreg.errors import UserError


class SampleDataset(torch.utils.data.Dataset[Sample]):
    """A data set whose items are `Sample`s with index and epoch.

    Its keys are ``(epoch, index)``, as the run's sampler yields them, or an index alone (epoch 0). An item that cannot
    be read is a sample whose image is the error, which is raised when the image is loaded.

    Args:
        source: any data set.
    """

    def __init__(self, source: Any) -> None:
        self.source = source

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, key: int | tuple[int, int]) -> Sample:
        epoch, index = key if isinstance(key, tuple) else (0, key)
        try:
            return as_sample(self.source[index], index, epoch)
        except UserError as error:
            return Sample(error, None, index, epoch)

    @cached_property
    def has_targets(self) -> bool:
        """Whether the samples have labels, judged by the first one."""
        return self[0].target is not None

    @property
    def classes(self) -> list[str] | None:
        """The names of the classes in the order of their numbers, if the data set has them."""
        names = getattr(self.source, "classes", None)
        return None if names is None else list(names)

    def class_name(self, target: int | None) -> str | None:
        """Return the name of a class, or its number if the data set names none; None without a target."""
        if target is None:
            return None
        classes = self.classes
        return classes[target] if classes is not None and 0 <= target < len(classes) else str(target)

    def order(self, generator: torch.Generator, batch_size: int, world_size: int) -> torch.Tensor:
        """Return the order of the samples in an epoch: that of the data set if it defines one, else a permutation."""
        order = self.source.order(generator, batch_size, world_size) if isinstance(self.source, Dataset) else None
        return torch.randperm(len(self), generator=generator) if order is None else order

    def name(self, index: int) -> str:
        """Return a name of a sample for users."""
        return self.source.name(index) if isinstance(self.source, Dataset) else str(index)
