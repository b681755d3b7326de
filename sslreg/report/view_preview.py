"""What a spec's views make of images, before any training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sslreg.assembly import Builder, SampleDataset, build_embed_plan, build_view_plans
from sslreg.atomic_files import atomic_write
from sslreg.contracts import Sample
from sslreg.errors import UserError
from sslreg.images import load_image
from sslreg.report.denormalization import denormalize, picture, said_of_channels
from sslreg.report.output_path import PAGES, check_place
from sslreg.report.sampled_parameters import drawn_lines
from sslreg.spec import Spec
from sslreg.views import Collate, DeferredBatch, DeferredView


@dataclass(frozen=True)
class Tile:
    """One view of one sample. drawn: a line for each operation that drew something."""

    picture: Image.Image
    drawn: list[str]


@dataclass(frozen=True)
class Row:
    """A sample: what people call it, its class if it has one, the image as it is read, and its views.

    broken: why the image cannot be read; it then has neither an original nor views.
    """

    name: str
    label: str | None
    original: Image.Image | None
    tiles: list[Tile]
    broken: str | None = None


@dataclass(frozen=True)
class Preview:
    """Samples and their views, as the training will see them.

    name: the spec's. seed, epoch: what the views were drawn with. titles: of the views, as each row has them; the last
    is the embedding view. notes: what has to be known to read the pictures.
    """

    name: str
    seed: int
    epoch: int
    titles: list[str]
    rows: list[Row]
    notes: list[str]

    def picture(self, params: bool = False) -> Image.Image:
        """One image: a row for each sample, the original first. params: write what was drawn under each view."""
        from sslreg.report.preview_image import drawn_grid

        return drawn_grid(self, params)

    def page(self, params: bool = False) -> str:
        """The same as one HTML document that needs nothing beside it."""
        from sslreg.report.html_pages import preview_page

        return preview_page(self, params)

    def save(self, path: str | Path, params: bool = False) -> None:
        """Write `page` where the name ends in .html, `picture` in the format that the name tells where not.

        UserError: the name tells no format, or there is no such folder. SslregError: the file cannot be written.
        """
        path = Path(path)
        check_place(path, (*PAGES, *Image.registered_extensions()), ".png or .html")
        with atomic_write(path) as draft:
            if path.suffix.lower() in PAGES:
                draft.write_text(self.page(params), encoding="utf-8")
            else:
                self.picture(params).save(draft, Image.registered_extensions()[path.suffix.lower()])


def preview(spec: Spec, samples: int = 8, seed: int | None = None, epoch: int = 0) -> Preview:
    """The views of some of a spec's training images, and how they are embedded.

    samples: how many, drawn from the training set by the seed. seed: the spec's if None; with that, the views are those
    that the training makes of these samples in that epoch. An image that cannot be read has its reason in place of its
    views. UserError: the data cannot be found, no image can be read, or the views do not fit the images.
    """
    data = SampleDataset(Builder(spec).build(spec.data.train))
    seed = spec.seed if seed is None else seed
    chosen = np.random.default_rng(seed).permutation(len(data))[:samples].tolist()
    return preview_of(spec, data, chosen, seed, epoch)


def preview_of(spec: Spec, data: SampleDataset, indices: Sequence[int], seed: int, epoch: int = 0) -> Preview:
    """`preview` of the samples with these indices."""
    plans = [*build_view_plans(Builder(spec)), build_embed_plan(spec)]
    rows, readable, images = _read(spec, data, indices, epoch)
    if not readable:
        raise UserError(
            f"none of {len(rows)} images can be read; the first: {rows[0].broken}" if rows else "there is no image",
            code="image",
        )
    # With a device, a collate hands out its plans and draws. It reads the images itself, as in training.
    collate = Collate(plans, seed=seed, channels=spec.data.channels, device="cpu", keep_params=True)
    batch = cast(DeferredBatch, collate(readable))
    views = [_tiles(view, images) for view in batch.views]
    tiles = iter(zip(*(view for view, _ in views), strict=True))
    titles = _titles(spec)
    return Preview(
        name=spec.name,
        seed=seed,
        epoch=epoch,
        titles=titles,
        rows=[row if row.broken else replace(row, tiles=list(next(tiles))) for row in rows],
        notes=_notes(titles, views, images),
    )


def _read(
    spec: Spec, data: SampleDataset, indices: Sequence[int], epoch: int
) -> tuple[list[Row], list[Sample], list[Tensor]]:
    """A row for each sample, without views; the samples that can be read; and the images of these."""
    rows, readable, images = [], [], []
    for index in indices:
        sample = data[epoch, index]
        label = class_name(sample.target, data.classes)
        try:
            image = load_image(sample.image, spec.data.channels)
        except UserError as error:
            rows.append(Row(data.name(index), label, None, [], broken=error.diagnostics[0].message))
            continue
        rows.append(Row(data.name(index), label, picture(image), []))
        readable.append(sample)
        images.append(image)
    return rows, readable, images


def class_name(target: int | None, classes: list[str] | None) -> str | None:
    """What a class is called: its number where nobody named it, None without one."""
    return None if target is None else classes[target] if classes and 0 <= target < len(classes) else str(target)


def _tiles(view: DeferredView, images: list[Tensor]) -> tuple[list[Tile], bool]:
    """A view's tiles, one for each image that it was made of, and whether their levels are a guess."""
    pixels, guessed = denormalize(view, torch.tensor([image.shape for image in images]))
    params = view.params()
    return [Tile(picture(one), drawn_lines(params, row)) for row, one in enumerate(pixels)], guessed


def _titles(spec: Spec) -> list[str]:
    """What the views are called: ``view 2, 1 of 6`` for the first of the second entry."""
    titles = []
    for entry, view in enumerate(spec.views, start=1):
        for number in range(1, view.repeat + 1):
            titles.append(f"view {entry}" + (f", {number} of {view.repeat}" if view.repeat > 1 else ""))
    return [*titles, "embedding view"]


def _notes(titles: list[str], views: list[tuple[list[Tile], bool]], images: list[Tensor]) -> list[str]:
    notes = list(dict.fromkeys(note for image in images if (note := said_of_channels(len(image)))))
    if guessed := [title for title, (_, guess) in zip(titles, views, strict=True) if guess]:
        notes.append(
            f"Levels leave [0, 1] in a way that cannot be undone ({'; '.join(guessed)}): each image is stretched "
            "between its lowest and its highest level."
        )
    return notes
