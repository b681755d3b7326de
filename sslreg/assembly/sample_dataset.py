"""Any data set as one of Samples, keyed by epoch and index."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
import torch.utils.data

from sslreg.contracts import Dataset, Sample, as_sample
from sslreg.errors import UserError


class SampleDataset(torch.utils.data.Dataset[Sample]):
    """Makes every data set's items `Sample`s that know their number and their epoch.

    Indexed by ``(epoch, index)``, which is what the run's sampler yields, or by an index alone (epoch 0).
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
        """Whether the samples carry labels, judged by the first one."""
        return self[0].target is not None

    @property
    def classes(self) -> list[str] | None:
        """The classes' names by number, where the data set knows them."""
        names = getattr(self.source, "classes", None)
        return None if names is None else list(names)

    def class_name(self, target: int | None) -> str | None:
        """Return the name of a class, or its number if the data set names none; None without a target."""
        if target is None:
            return None
        classes = self.classes
        return classes[target] if classes is not None and 0 <= target < len(classes) else str(target)

    def order(self, generator: torch.Generator, batch_size: int, world_size: int) -> torch.Tensor:
        """The samples' numbers as an epoch has them: a permutation, unless the data set knows better."""
        own = self.source.order(generator, batch_size, world_size) if isinstance(self.source, Dataset) else None
        return torch.randperm(len(self), generator=generator) if own is None else own

    def name(self, index: int) -> str:
        """What a person calls a sample."""
        return self.source.name(index) if isinstance(self.source, Dataset) else str(index)
