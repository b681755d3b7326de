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
    attributes below say is then read off its items.

    classes: the classes' names by number, None without labels.
    """

    classes: list[str] | None = None

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} does not implement __len__()")

    def __getitem__(self, index: int) -> Sample | tuple[Any, int] | Any:
        raise NotImplementedError(f"{type(self).__name__} does not implement __getitem__(index)")

    def name(self, index: int) -> str:
        """What a person would call a sample, a file's name where there is one; here its number."""
        return str(index)
