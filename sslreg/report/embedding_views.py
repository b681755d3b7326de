"""Pictures of images as a backbone gets them, and marks in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from PIL import Image, ImageDraw

from sslreg.assembly import build_embed_plan, build_image_loader, build_readers
from sslreg.contracts import ImageLike, Sample
from sslreg.errors import UserError
from sslreg.report.contact_sheet import Tile
from sslreg.report.denormalization import denormalize, to_pil_image
from sslreg.report.drawing import PAPER, WRONG, fit_image
from sslreg.spec import Spec
from sslreg.views import Collate, DeferredBatch


def draw_embedding_views(spec: Spec, images: Sequence[ImageLike | UserError]) -> list[Image.Image]:
    """Return pictures of the embedding views of images, without their normalization.

    Raises:
        UserError: An image cannot be read.
    """
    load = build_image_loader(spec)
    pixels = [load(image) for image in images]
    # With a device, a collate returns its plan and draws, which denormalization needs.
    collate = Collate(
        [build_embed_plan(spec)],
        seed=spec.seed,
        channels=spec.data.channels,
        device="cpu",
        readers=build_readers(spec),
    )
    batch = cast(DeferredBatch, collate([Sample(image, index=0, epoch=0) for image in pixels]))
    views, _ = denormalize(batch.views[0], torch.tensor([image.shape for image in pixels]))
    return [to_pil_image(view) for view in views]


def make_patch_tile(spec: Spec, image: ImageLike, patch: tuple[int, int], grid: tuple[int, int], *lines: str) -> Tile:
    """Make a tile of an embedding view in which a patch is framed.

    Args:
        spec: The spec.
        image: The image.
        patch: The row and the column of the patch.
        grid: The numbers of rows and columns of patches.
        lines: The lines of text below the view.

    Raises:
        UserError: The image cannot be read.
    """
    (view,) = draw_embedding_views(spec, [image])
    picture = fit_image(view).convert("RGB")
    (row, column), (rows, columns) = patch, grid
    left, right = (round(end * picture.width / columns) for end in (column, column + 1))
    top, bottom = (round(end * picture.height / rows) for end in (row, row + 1))
    draw = ImageDraw.Draw(picture)
    # Two frames around the patch, of which one stands out from any image.
    draw.rectangle((left - 2, top - 2, right + 1, bottom + 1), outline=PAPER)
    draw.rectangle((left - 1, top - 1, right, bottom), outline=WRONG)
    return Tile(picture, lines)
