"""Previews of a spec's views, without any training."""

from __future__ import annotations

import math
import pickle
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from time import perf_counter
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
from sslreg.contracts import Images, Sample
from sslreg.errors import UserError
from sslreg.images import EncodedImage, TransparentImage, open_image
from sslreg.report.denormalization import denormalize, describe_channels, to_levels, to_pil_image
from sslreg.report.html_pages import render_preview
from sslreg.report.output_path import PAGES, check_output_path
from sslreg.report.preview_data import PreviewData, Row, Tile
from sslreg.report.preview_image import draw_preview
from sslreg.report.sampled_parameters import format_params
from sslreg.spec import Spec
from sslreg.views import Collate, DeferredBatch, DeferredView, Draw, ViewPlan

#: The largest number of values of an image that a previewer may decode in full.
_MOST_VALUES = 2**24

#: An image as a collate function loads it.
_Opened = Tensor | EncodedImage | TransparentImage

#: The number of a view in the batch, -1 for the embedding view, and its pickled operations.
_ViewKey = tuple[int, bytes]


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
    return Previewer(spec, samples, seed, epoch).preview(spec)


class Previewer:
    """Makes previews of specs that differ only in their views: of the same images, with the same draws.

    Images are read once. A view whose operations have not changed since the last preview is not made again.

    Args:
        spec: The spec that names the data.
        samples: The number of images, as for `preview`.
        seed: The seed, as for `preview`.
        epoch: The epoch of the views.
        decode: Decode images of up to 2**24 values in full and keep their pixels. This is faster from the second
            preview on. Views of large photographs, of which training decodes only a part at a reduced size, then differ
            from those of the training by rounding.

    Raises:
        UserError: As for `preview`.
    """

    def __init__(
        self, spec: Spec, samples: int = 8, seed: int | None = None, epoch: int = 0, *, decode: bool = False
    ) -> None:
        data = DatasetBuilder(Builder(spec)).build("train")
        self.seed = spec.seed if seed is None else seed
        self.epoch = epoch
        indices = np.random.default_rng(self.seed).permutation(len(data))[:samples].tolist()
        self._rows, self._samples, self._originals = _read(spec, data, indices, epoch)
        if not self._samples:
            rows = self._rows
            raise UserError(
                f"none of {len(rows)} images can be read; the first: {rows[0].error}" if rows else "there is no image",
                code="image",
            )
        self._decode = decode
        self._images = {training: self._open(spec, training) for training in (True, False)}
        self._views: dict[_ViewKey, DeferredView] = {}
        self._tiles: dict[_ViewKey, tuple[list[Tile], bool]] = {}

    def preview(self, spec: Spec) -> Preview:
        """Make the views of the images by a spec with the same data.

        Raises:
            UserError: The views do not fit the images.
        """
        plans, embed_plan = build_view_plans(Builder(spec)), build_embed_plan(spec)
        keys = [*map(_make_key, count(), plans), _make_key(-1, embed_plan)]
        made = [
            *self._make_views(spec, plans, keys[:-1], training=True),
            *self._make_views(spec, [embed_plan], keys[-1:], training=False),
        ]
        views = [
            self._tiles.get(key) or _make_tiles(view, self._originals) for key, view in zip(keys, made, strict=True)
        ]
        self._views = dict(zip(keys, made, strict=True))
        self._tiles = dict(zip(keys, views, strict=True))
        tiles = iter(zip(*(view for view, _ in views), strict=True))
        titles = _make_titles(spec)
        return Preview(
            name=spec.name,
            seed=self.seed,
            epoch=self.epoch,
            titles=titles,
            rows=[row if row.error else replace(row, tiles=list(next(tiles))) for row in self._rows],
            notes=_make_notes(titles, views, self._originals),
        )

    def measure(self, spec: Spec, repeats: int = 3) -> list[list[float]]:
        """Measure how long each stage of each kind of view takes on the CPU, without decoding.

        Args:
            spec: A spec with the same data.
            repeats: How often each stage runs; the shortest time counts.

        Returns:
            The milliseconds per image for each entry of the spec's views, and for each stage of its plan if all of them
            run on the host.
        """
        plans = build_view_plans(Builder(spec))
        made = self._make_views(spec, plans, [*map(_make_key, count(), plans)], training=True)
        of_groups = {view.plan.group: view for view in made}
        return [_measure_stages(of_groups[group], self._originals, repeats) for group in range(len(spec.views))]

    def _open(self, spec: Spec, training: bool) -> dict[int | None, _Opened]:
        """Open the images, by the indices of their samples."""
        readers = build_readers(spec, training=training)
        opened = [open_image(sample.image, spec.data.channels, readers) for sample in self._samples]
        return {
            sample.index: image.decode()
            if self._decode and isinstance(image, EncodedImage) and math.prod(image.shape) <= _MOST_VALUES
            else image
            for sample, image in zip(self._samples, opened, strict=True)
        }

    def _make_views(
        self, spec: Spec, plans: Sequence[ViewPlan], keys: Sequence[_ViewKey], *, training: bool
    ) -> list[DeferredView]:
        """Return views of the samples with their plans and draws. Those of known keys are not made again."""
        collate = _PreviewCollate(
            plans,
            seed=self.seed,
            channels=spec.data.channels,
            device="cpu",
            keep_params=True,
            readers=build_readers(spec, training=training),
        )
        collate.images = self._images[training]
        collate.made = {number: self._views[key] for number, key in enumerate(keys) if key in self._views}
        return cast(DeferredBatch, collate(self._samples)).views


class _PreviewCollate(Collate):
    """A collate function for images that are open already, and for views that may be made already.

    Attributes:
        images: The images by the index of the sample.
        made: The views by their number.
    """

    images: Mapping[int | None, _Opened]
    made: Mapping[int, DeferredView]

    def load(self, sample: Sample) -> _Opened:
        return self.images[sample.index]

    def make_view(self, number: int, images: Images, draws: list[Draw]) -> DeferredView:
        return self.made[number] if number in self.made else super().make_view(number, images, draws)


def _make_key(number: int, plan: ViewPlan) -> _ViewKey:
    """Return a key for a view. Equal keys mean equal views, since operations hold only their parameters."""
    try:
        return number, pickle.dumps([(operation.name, operation.augmentation) for operation in plan.operations])
    except Exception:  # noqa: BLE001 - an operation of any package may be impossible to pickle
        return number, secrets.token_bytes()  # equals no other key


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
    return [
        Tile(to_pil_image(image), format_params(params, row)) for row, image in enumerate(to_levels(pixels))
    ], guessed


def _measure_stages(view: DeferredView, images: Images, repeats: int) -> list[float]:
    """Return the milliseconds per image of each stage of a view's plan."""
    draws = [replace(draw, rescaled=None) for draw in view.draws]  # the images are not reduced
    times = []
    for stage in view.plan.stages(range(len(view.plan.steps))):
        shortest = math.inf
        for _ in range(repeats):
            start = perf_counter()
            result = view.plan.run(images, draws, stage.steps)
            shortest = min(shortest, perf_counter() - start)
        images = result
        times.append(1000 * shortest / len(images))
    return times


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
