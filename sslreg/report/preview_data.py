"""The content of a preview, which is drawn as an image or rendered as a page."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image


@dataclass(frozen=True)
class Tile:
    """One view of one sample.

    Attributes:
        picture: The view.
        params: A line for each operation that drew something.
    """

    picture: Image.Image
    params: list[str]


@dataclass(frozen=True)
class Row:
    """A sample and its views.

    Attributes:
        name: The name of the sample.
        label: The name of its class, None without one.
        original: The image as it is read; None if it cannot be read.
        tiles: Its views; empty if the image cannot be read.
        error: Why the image cannot be read, or None.
    """

    name: str
    label: str | None
    original: Image.Image | None
    tiles: list[Tile]
    error: str | None = None


@dataclass(frozen=True)
class PreviewData:
    """Samples and their views, as a training sees them.

    Attributes:
        name: The name of the spec.
        seed: The seed that the views were drawn with.
        epoch: The epoch that the views were drawn for.
        titles: The titles of the views, in the order of each row's tiles. The last is the embedding view.
        rows: The samples.
        notes: What a reader has to know about the pictures.
    """

    name: str
    seed: int
    epoch: int
    titles: list[str]
    rows: list[Row]
    notes: list[str]
