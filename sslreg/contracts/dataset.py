"""The contract of a data set: samples by index."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch.utils.data

from sslreg.contracts.batch import Sample
from sslreg.contracts.component import Component


class Dataset(Component, torch.utils.data.Dataset[Any]):
    """Base class of data sets, map-style: a length, and items by index.

    An item is a `Sample`, an ``(image, target)`` pair or a bare image, see `ImageLike`. Keep images encoded (bytes or a
    path): the collate decodes as much of them as it needs. Raise `sslreg.UserError` for an item that cannot be read;
    ``data.on_error`` of the spec decides whether training stops.

    Any ``torch.utils.data.Dataset`` of such items can be registered without this class.

    Data that must be read in sequence, as from an object store, is a data set with a length and an index, too. Its
    `order` tells in which order it reads quickly. Since the order is known beforehand, a run resumes in the middle of
    an epoch at the next index, whatever the workers had prefetched.

    Attributes:
        classes: the names of the classes by number; None without labels.
        targets: the class numbers (N,) of all samples, int64, from 0, or their labels (N, C), bool, if they are known
            without reading the samples. A run that splits the data set uses them to warn of classes that a part lacks.
    """

    classes: list[str] | None = None
    targets: np.ndarray[Any, Any] | None = None

    def __len__(self) -> int:
        """Return the number of samples."""
        raise NotImplementedError(f"{type(self).__name__} does not implement __len__()")

    def __getitem__(self, index: int) -> Sample | tuple[Any, int] | Any:
        """Return the item at an index. UserError: it cannot be read."""
        raise NotImplementedError(f"{type(self).__name__} does not implement __getitem__(index)")

    def order(self, generator: torch.Generator, batch_size: int, world_size: int) -> torch.Tensor | None:
        """Return the indices (int64) in the order in which an epoch should read them; None for any order.

        No index may occur twice, and the number of full batches must be that of the length. torch passes batch k of a
        process to worker k modulo the number of workers.

        Args:
            generator: the only source of randomness; it depends on the run's seed and the epoch.
            batch_size: the samples of a batch over all processes.
            world_size: the number of processes; process r reads the r-th of as many equal parts of a batch.
        """
        return None

    def name(self, index: int) -> str:
        """Return what a person calls a sample, such as the name of its file; its index by default.

        Splits and subsets choose samples by their names. A name should therefore stay the same when samples are added.
        """
        return str(index)

    def select(self, rows: np.ndarray[Any, Any]) -> Dataset | None:
        """Return a data set of some of the samples, for a split or a subset; None if the run may map indices itself.

        Implement it if the order of reading matters: without it, samples that are left out stay in the `order` of the
        data set and are removed there, so that its batches are not those of whole lanes. The result shares memory.

        Args:
            rows: the indices of the samples (N,), int64, ascending.
        """
        return None

    def group(self, index: int) -> str | None:
        """Return the group of a sample that a split must not divide, such as its patient; by default it has none."""
        return None
