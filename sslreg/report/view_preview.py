"""Previews of a spec's views, without any training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sslreg.assembly import (
    Builder,
    DatasetBuilder,
    SampleDataset,
    build_embed_plan,
    build_image_loader,
    build_readers,
    build_view_plans,
)
from sslreg.atomic_files import atomic_write
from sslreg.contracts import Sample
from sslreg.errors import UserError
from sslreg.report.denormalization import denormalize, describe_channels, to_pil_image
from sslreg.report.html_pages import render_preview
from sslreg.report.output_path import PAGES, check_output_path
from sslreg.report.preview_data import PreviewData, Row, Tile
from sslreg.report.preview_image import draw_preview
from sslreg.report.sampled_parameters import format_params
from sslreg.spec import Spec
from sslreg.views import Collate, DeferredBatch, DeferredView, ViewPlan


class Preview(PreviewData):
    """Samples and their views, as a training sees them, to be drawn or written."""

    def picture(self, params: bool = False) -> Image.Image:
        """Draw one image: a row for each sample, the original first.

        Args:
            params: Write what each operation drew under each view.
        """
        return draw_preview(self, params)

    def page(self, params: bool = False) -> str:
        """Render the same as one HTML document that needs no other file.

        Args:
            params: Write what each operation drew under each view.
        """
        return render_preview(self, params)

    def save(self, path: str | Path, params: bool = False) -> None:
        """Write `page` if the file's name ends in .html, otherwise `picture` in the format of the name.

        Args:
            path: The file.
            params: Write what each operation drew under each view.

        Raises:
            UserError: The name has no known format, or its folder does not exist.
            SslregError: The file cannot be written.
        """
        path = Path(path)
        check_output_path(path, (*PAGES, *Image.registered_extensions()), ".png or .html")
        with atomic_write(path) as draft:
            if path.suffix.lower() in PAGES:
                draft.write_text(self.page(params), encoding="utf-8")
            else:
                self.picture(params).save(draft, Image.registered_extensions()[path.suffix.lower()])


def preview(spec: Spec, samples: int = 8, seed: int | None = None, epoch: int = 0) -> Preview:
    """Make the views of some of a spec's training images, and their embedding views.

    An image that cannot be read has an error in place of its views.

    Args:
        spec: The spec.
        samples: The number of images, drawn from the training set by the seed.
        seed: The seed; None for the spec's, which gives the views that the training makes of these images.
        epoch: The epoch of the views.

    Raises:
        UserError: The data does not exist, no image can be read, or the views do not fit the images.
    """
    data = DatasetBuilder(Builder(spec)).build("train")
    seed = spec.seed if seed is None else seed
    indices = np.random.default_rng(seed).permutation(len(data))[:samples].tolist()
    rows, readable, images = _read(spec, data, indices, epoch)
    if not readable:
        raise UserError(
            f"none of {len(rows)} images can be read; the first: {rows[0].error}" if rows else "there is no image",
            code="image",
        )
    made = [
        *_make_views(spec, build_view_plans(Builder(spec)), seed, readable, training=True),
        *_make_views(spec, [build_embed_plan(spec)], seed, readable, training=False),
    ]
    views = [_make_tiles(view, images) for view in made]
    tiles = iter(zip(*(view for view, _ in views), strict=True))
    titles = _make_titles(spec)
    return Preview(
        name=spec.name,
        seed=seed,
        epoch=epoch,
        titles=titles,
        rows=[row if row.error else replace(row, tiles=list(next(tiles))) for row in rows],
        notes=_make_notes(titles, views, images),
    )


def _make_views(
    spec: Spec, plans: Sequence[ViewPlan], seed: int, samples: Sequence[Sample], *, training: bool
) -> list[DeferredView]:
    """Return views of samples with their plans and draws, which a collate function with a device returns."""
    collate = Collate(
        plans,
        seed=seed,
        channels=spec.data.channels,
        device="cpu",
        keep_params=True,
        readers=build_readers(spec, training=training),
    )
    return cast(DeferredBatch, collate(samples)).views


def _read(
    spec: Spec, data: SampleDataset, indices: Sequence[int], epoch: int
) -> tuple[list[Row], list[Sample], list[Tensor]]:
    """Return a row for each sample, without views, the samples that can be read, and their images."""
    rows, readable, images, load = [], [], [], build_image_loader(spec)
    for index in indices:
        sample = data[epoch, index]
        label = data.class_name(sample.target)
        try:
            image = load(sample.image)
        except UserError as error:
            rows.append(Row(data.name(index), label, None, [], error=error.diagnostics[0].message))
            continue
        rows.append(Row(data.name(index), label, to_pil_image(image), []))
        readable.append(sample)
        images.append(image)
    return rows, readable, images


def _make_tiles(view: DeferredView, images: list[Tensor]) -> tuple[list[Tile], bool]:
    """Return a view's tiles, one for each image that it was made of, and whether their levels are a guess."""
    pixels, guessed = denormalize(view, torch.tensor([image.shape for image in images]))
    params = view.params()
    return [Tile(to_pil_image(image), format_params(params, row)) for row, image in enumerate(pixels)], guessed


def _make_titles(spec: Spec) -> list[str]:
    """Return the titles of the views: ``view 2 (local), 1 of 6`` is the first view of the second entry."""
    titles = []
    for entry, view in enumerate(spec.views, start=1):
        name = f"view {entry} ({view.role})" if view.role else f"view {entry}"
        for number in range(1, view.repeat + 1):
            titles.append(f"{name}, {number} of {view.repeat}" if view.repeat > 1 else name)
    return [*titles, "embedding view"]


def _make_notes(titles: list[str], views: list[tuple[list[Tile], bool]], images: list[Tensor]) -> list[str]:
    notes = list(dict.fromkeys(note for image in images if (note := describe_channels(len(image)))))
    if guessed := [title for title, (_, is_guess) in zip(titles, views, strict=True) if is_guess]:
        notes.append(
            f"Levels leave [0, 1] in a way that cannot be inverted ({'; '.join(guessed)}): each image is stretched "
            "between its smallest and its largest level."
        )
    return notes
