"""Adapts any data set to one of `Sample`s that are indexed by epoch and index."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
import torch.utils.data

from sslreg.assembly.builder import Builder
from sslreg.contracts import Dataset, Sample, SegmentationMask, as_sample, is_segmentation_mask
from sslreg.errors import SslregError, UserError, describe_error
from sslreg.spec import ComponentSpec

#: How many samples are read to learn which targets a data set has.
_PROBED_SAMPLES = 8


class SampleDataset(torch.utils.data.Dataset[Sample]):
    """A data set whose items are `Sample`s with index and epoch.

    Its keys are ``(epoch, index)``, as the run's sampler yields them, or an index alone (epoch 0). An item that cannot
    be read is a sample whose image is the error, which is raised when the image is loaded.

    Args:
        source: any data set.
        origin: the data set with its package, for errors.
    """

    def __init__(self, source: Any, origin: object = "the data set") -> None:
        self.source = source
        self.origin = str(origin)

    def __len__(self) -> int:
        try:
            return len(self.source)
        except (SslregError, OSError, MemoryError):
            raise
        except Exception as error:
            raise UserError(f"{self.origin} has no length: {describe_error(error)}", code="broken-component") from error

    def __getitem__(self, key: int | tuple[int, int]) -> Sample:
        epoch, index = key if isinstance(key, tuple) else (0, key)
        try:
            return as_sample(self.source[index], index, epoch)
        except UserError as error:
            return Sample(error, None, index, epoch)
        except (SslregError, OSError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 - the data set may be that of any package
            reason = UserError(
                f"{self.origin}: item {index} cannot be read: {describe_error(error)}",
                hint="a data set raises sslreg.UserError for an item that it cannot read",
                code="sample",
            )
            reason.__cause__ = error
            return Sample(reason, None, index, epoch)

    @property
    def has_targets(self) -> bool:
        """Whether the samples have class numbers, judged by the first readable one."""
        return self._first_target is not None and not self.has_masks

    @property
    def has_masks(self) -> bool:
        """Whether the targets of the samples are segmentation masks, judged by the first readable one."""
        return is_segmentation_mask(self._first_target)

    @cached_property
    def _first_target(self) -> int | SegmentationMask | None:
        first = (self[index] for index in range(min(_PROBED_SAMPLES, len(self))))
        return next((sample.target for sample in first if not isinstance(sample.image, UserError)), None)

    @property
    def classes(self) -> list[str] | None:
        """The names of the classes in the order of their numbers, if the data set has them."""
        names = getattr(self.source, "classes", None)
        return None if names is None else list(names)

    def class_name(self, target: int | SegmentationMask | None) -> str | None:
        """Return the name of a class, or its number if the data set names none; None without a class number."""
        if not isinstance(target, int):
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


def build_dataset(builder: Builder, component: ComponentSpec) -> SampleDataset:
    """Build a data set of a spec."""
    return SampleDataset(builder.build(component), component.info)
