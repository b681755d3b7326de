"""What a data set is."""

from __future__ import annotations

from typing import Any

import torch.utils.data

from sslreg.contracts.batch import Sample


class Dataset(torch.utils.data.Dataset[Any]):
    """Base class of data sets, map-style: a length, and items by index.

    An item is a `Sample`, an ``(image, target)`` pair or a bare image; see `ImageLike` for what an image may be. Keep
    images encoded (bytes or a path): decoding belongs to the collate, which knows what it needs of them. Any
    ``torch.utils.data.Dataset`` of such items can be registered without deriving from this class; what the
    attributes below say is then read off its items. An item that cannot be read raises `sslreg.UserError`; the
    spec's ``data.on_error`` says what follows.

    Data that has to be read in sequence, as from an object store, is no other kind of data set: it has a length and
    items by index as well, and says by `order` in which order it is quick. As the order is known beforehand, a run
    goes on in the middle of an epoch by asking for what comes next, whatever workers had fetched ahead.

    classes: the classes' names by number, None without labels.
    """

    classes: list[str] | None = None

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} does not implement __len__()")

    def __getitem__(self, index: int) -> Sample | tuple[Any, int] | Any:
        raise NotImplementedError(f"{type(self).__name__} does not implement __getitem__(index)")

    def order(self, generator: torch.Generator, batch_size: int, world_size: int) -> torch.Tensor | None:
        """The samples' numbers (int64) in the order in which an epoch had best read them, None for any.

        generator: the only source of randomness; it depends on the run's seed and the epoch. batch_size: samples in a
        batch over all processes, of which process r takes the r-th of `world_size` equal parts; torch gives batch k of
        a process to worker k modulo workers. No sample comes twice, and as many batches are full as the length has.
        """
        return None

    def name(self, index: int) -> str:
        """What a person would call a sample, a file's name where there is one; here its number."""
        return str(index)
