"""Segmentation masks that follow the leading geometry of a view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from sslreg.contracts.batch import Sample
from sslreg.contracts.sample_keys import SampleKeys
from sslreg.contracts.segmentation_mask import IGNORED_PIXEL, is_segmentation_mask, load_segmentation_mask
from sslreg.errors import UserError
from sslreg.images import EncodedImage, TransparentImage
from sslreg.views.collate import Collate
from sslreg.views.plan import ViewPlan

#: The key of `Batch.extras` under which segmentation masks are.
SEGMENTATION_MASKS = "segmentation_masks"

#: The part of a pixel by which positions may be off because of rounding.
_TOLERANCE = 1e-3


class SegmentationCollate(Collate):
    """A collate function of one view, whose batches contain its masks (N, H, W) in ``extras["segmentation_masks"]``.

    An image whose mask cannot be read, or has another size, counts as an image that cannot be read.
    """

    @classmethod
    def like(cls, collate: Collate) -> SegmentationCollate:
        """Return one with the view and the settings of a collate function of one view."""
        return cls(
            collate.views,
            seed=collate.seed,
            channels=collate.channels,
            on_error=collate.on_error,
            readers=collate.readers,
        )

    def load(self, sample: Sample) -> Tensor | EncodedImage | TransparentImage:
        image = super().load(sample)
        mask = _load_mask(sample)
        if mask.shape != image.shape[1:]:
            image_size, mask_size = (" × ".join(map(str, size)) for size in (image.shape[1:], mask.shape))
            name = f" {sample.image}" if isinstance(sample.image, str) else ""
            raise UserError(
                f"the image{name} has {image_size} pixels (height × width), and its segmentation mask {mask_size}",
                hint="a mask has the size of its image, after the orientation in EXIF has been applied",
                code="image",
            )
        return image

    def extras(self, samples: list[Sample]) -> dict[str, Any]:
        masks = move_masks(self.views[0], self._sample_keys(samples), [_load_mask(sample) for sample in samples])
        return {**super().extras(samples), SEGMENTATION_MASKS: torch.stack(masks)}


def _load_mask(sample: Sample) -> Tensor:
    if not is_segmentation_mask(sample.target):
        raise UserError(
            f"sample {sample.index} has no segmentation mask",
            hint="in a data set of masks, the target of each sample is a mask (H, W)",
            code="sample",
        )
    return load_segmentation_mask(sample.target)


def move_masks(plan: ViewPlan, keys: SampleKeys, masks: Sequence[Tensor]) -> list[Tensor]:
    """Apply the leading geometry of a view to masks (H, W), as to their images, with nearest interpolation.

    The geometry is applied to the coordinates of the pixels, which interpolation averages. Each pixel of the result
    takes the value of the pixel nearest to its average, and is ignored if it comes from outside of the image. So masks
    follow any geometry, without knowing it.

    Args:
        plan: the plan of the view.
        keys: the keys of the samples.
        masks: N masks, uint8 or int64.

    Returns:
        N masks; of the type of the one, or int64 if the types differ.
    """
    plan = plan.geometry_only()
    coordinates = [_make_coordinates(*mask.shape) for mask in masks]
    draws = plan.draw(keys, 0, coordinates)
    moved = plan.run(coordinates, draws, range(len(plan.steps)))
    dtype = torch.uint8 if all(mask.dtype == torch.uint8 for mask in masks) else torch.int64
    return [_look_up(mask.to(dtype), places) for mask, places in zip(masks, moved, strict=True)]


def _make_coordinates(height: int, width: int) -> Tensor:
    """Return an image (4, H, W) of levels in [0, 1]: y, x, and two constants that tell what fills the outside."""
    y = torch.linspace(0, 1, height, dtype=torch.float64)[:, None].expand(height, width)
    x = torch.linspace(0, 1, width, dtype=torch.float64)[None].expand(height, width)
    return torch.stack([y, x, torch.zeros_like(y), torch.ones_like(y)]).float()


def _look_up(mask: Tensor, coordinates: Tensor) -> Tensor:
    """Return the values of a mask (H, W) at coordinates (4, h, w)."""
    # With a share s of the image and a fill f, a level v has become s v + (1 - s) f, for the constants 0 and 1, too.
    y, x, zero, one = coordinates.double()
    share = one - zero
    is_inside = share > 0.5
    divisor = share.where(is_inside, torch.ones(()))
    rows, columns = (
        # Of two pixels that are equally near, the first one, also if rounding errors favor the second.
        ((level - zero) / divisor * (side - 1) + 0.5 - _TOLERANCE).floor().long().clamp(0, side - 1)
        for level, side in zip((y, x), mask.shape, strict=True)
    )
    return mask[rows, columns].where(is_inside, torch.full((), IGNORED_PIXEL, dtype=mask.dtype))
