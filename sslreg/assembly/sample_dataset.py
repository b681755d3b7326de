"""Adapts any data set to one of `Sample`s that are indexed by epoch and index."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import torch
import torch.utils.data
from numpy.typing import NDArray

from sslreg.contracts import Dataset, Sample, SegmentationMask, as_sample, is_label_set, is_segmentation_mask
from sslreg.errors import SslregError, UserError, describe_error

#: How many samples are read to learn which targets a data set has.
_PROBED_SAMPLES = 8


class SampleDataset(torch.utils.data.Dataset[Sample]):
    """A data set whose items are `Sample`s with index and epoch.

    Its keys are ``(epoch, index)``, as the run's sampler yields them, or an index alone (epoch 0). An item that cannot
    be read is a sample whose image is the error, which is raised when the image is loaded.

    Args:
        source: any data set.
        origin: the data set with its package, for errors.
        rows: the indices of the samples in `source` (N,), ascending; None for all.
        fingerprint: a checksum of the names or groups of the samples, if some have been selected.
    """

    def __init__(
        self,
        source: Any,
        origin: object = "the data set",
        rows: NDArray[np.int64] | None = None,
        fingerprint: int | None = None,
    ) -> None:
        self.source = source
        self.origin = str(origin)
        self.rows = rows
        self.fingerprint = fingerprint

    def select(self, rows: NDArray[np.int64], fingerprint: int | None = None) -> SampleDataset:
        """Return a data set of some of the samples, in ascending order; it shares the memory of this one."""
        if self.rows is not None:
            return SampleDataset(self.source, self.origin, self.rows[rows], fingerprint)
        selected = self.source.select(rows) if isinstance(self.source, Dataset) else None
        if selected is not None:
            return SampleDataset(selected, self.origin, None, fingerprint)
        return SampleDataset(self.source, self.origin, rows, fingerprint)

    def _row(self, index: int) -> int:
        """Return the index of a sample in the source."""
        return index if self.rows is None else int(self.rows[index])

    def __len__(self) -> int:
        if self.rows is not None:
            return len(self.rows)
        try:
            return len(self.source)
        except (SslregError, OSError, MemoryError):
            raise
        except Exception as error:
            raise UserError(f"{self.origin} has no length: {describe_error(error)}", code="broken-component") from error

    def __getitem__(self, key: int | tuple[int, int]) -> Sample:
        epoch, index = key if isinstance(key, tuple) else (0, key)
        try:
            return as_sample(self.source[self._row(index)], index, epoch)
        except UserError as error:
            return Sample(error, None, index, epoch)
        except (SslregError, OSError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 - the data set may be that of any package
            reason = UserError(
                f"{self.origin}: item {self._row(index)} cannot be read: {describe_error(error)}",
                hint="a data set raises sslreg.UserError for an item that it cannot read",
                code="sample",
            )
            reason.__cause__ = error
            return Sample(reason, None, index, epoch)

    @property
    def has_targets(self) -> bool:
        """Whether the samples have class numbers, judged by the first readable one."""
        return isinstance(self._first_target, int)

    @property
    def has_label_sets(self) -> bool:
        """Whether the samples have several labels each, judged by the first readable one."""
        return is_label_set(self._first_target)

    @property
    def has_masks(self) -> bool:
        """Whether the targets of the samples are segmentation masks, judged by the first readable one."""
        return is_segmentation_mask(self._first_target)

    @cached_property
    def _first_target(self) -> int | torch.Tensor | SegmentationMask | None:
        first = (self[index] for index in range(min(_PROBED_SAMPLES, len(self))))
        return next((sample.target for sample in first if not isinstance(sample.image, UserError)), None)

    @property
    def classes(self) -> list[str] | None:
        """The names of the classes in the order of their numbers, if the data set has them."""
        names = getattr(self.source, "classes", None)
        return None if names is None else list(names)

    def class_name(self, target: int | torch.Tensor | SegmentationMask | None) -> str | None:
        """Return the name of a class, or its number if the data set names none; None without a class number.

        Of several labels, the names are separated by commas.
        """
        if is_label_set(target):
            names = [self.class_name(number) for number in target.nonzero()[:, 0].tolist()]
            return ", ".join(name for name in names if name is not None)
        if not isinstance(target, int):
            return None
        classes = self.classes
        return classes[target] if classes is not None and 0 <= target < len(classes) else str(target)

    def order(self, generator: torch.Generator, batch_size: int, world_size: int) -> torch.Tensor:
        """Return the order of the samples in an epoch: that of the data set if it defines one, else a permutation."""
        order = None
        if isinstance(self.source, Dataset):
            # Of the order for single samples, any samples can be left out.
            sizes = (batch_size, world_size) if self.rows is None else (1, 1)
            order = self.source.order(generator, *sizes)
        if order is None:
            return torch.randperm(len(self), generator=generator)
        return order if self.rows is None else _keep_rows(order, self.rows, len(self.source))

    def name(self, index: int) -> str:
        """Return a name of a sample for users."""
        row = self._row(index)
        return self.source.name(row) if isinstance(self.source, Dataset) else str(row)

    @cached_property
    def has_groups(self) -> bool:
        """Whether the samples have groups, judged by the first one."""
        return isinstance(self.source, Dataset) and self.source.group(self._row(0)) is not None

    def group(self, index: int) -> str:
        """Return the group of a sample of a data set with groups.

        Raises:
            UserError: the sample has none.
        """
        group = self.source.group(self._row(index))
        if group is None:
            raise UserError(
                f"{self.origin}: the sample {self.name(index)} has no group, but others have one",
                hint="a data set returns a group for every sample, or for none",
                code="no-group",
            )
        return str(group)

    def count_classes(self) -> NDArray[np.int64] | None:
        """Return the number of samples of each class, if that is known without reading samples."""
        targets = self.source.targets if isinstance(self.source, Dataset) else None
        if targets is None:
            return None
        own = np.asarray(targets) if self.rows is None else np.asarray(targets)[self.rows]
        if own.ndim == 2:
            counts: NDArray[np.int64] = own.sum(axis=0)
            return counts
        # Some data sets mark samples without a label by -1.
        return np.bincount(own[own >= 0], minlength=len(self.classes or ()))


def _keep_rows(order: torch.Tensor, rows: NDArray[np.int64], size: int) -> torch.Tensor:
    """Return the positions in `rows` of those indices of an order, below `size`, that are among them."""
    positions = torch.full((size,), -1)
    positions[torch.from_numpy(rows)] = torch.arange(len(rows))
    kept = positions[order]
    return kept[kept >= 0]
