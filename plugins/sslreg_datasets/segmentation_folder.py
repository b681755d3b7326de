"""Images in a folder, next to their segmentation masks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

import sslreg
from sslreg_datasets.image_folder import find_images, format_path, require_folder

#: The modes of Pillow whose values are class numbers.
_MODES = ("P", "L", "1", "I", "I;16", "I;16B")

#: The factors by which Pillow multiplies gray levels of two and four bits.
_FACTORS = {"L;2": 0x55, "L;4": 0x11}


class SegmentationFolder(sslreg.Dataset):
    """Images in one folder and their segmentation masks in another, at any depth, in the order of their paths.

    The mask of ``images/a/b.jpg`` is ``masks/a/b.png``. A mask is a PNG file with a palette or gray levels, whose
    palette indices or levels are class numbers. It has the size of its image. Pixels with the value 255 have no class.

    Training does not read the masks. Items are ``(path, mask)``, where the mask is a function that reads the file.

    Args:
        root: the folder that holds both folders.
        images: the folder of the images in `root`.
        masks: the folder of the masks in `root`.
        classes: the names of the classes, in the order of their numbers; larger numbers are then refused.
        ignore: a value of pixels that have no class, in addition to 255; for example 0 for the background.

    Raises:
        ValueError: a folder does not exist, cannot be read or has no image, or an image has no mask.
    """

    def __init__(
        self,
        root: str,
        images: str = "images",
        masks: str = "masks",
        classes: list[str] | None = None,
        ignore: Annotated[int, Field(ge=0)] = sslreg.IGNORED_PIXEL,
    ) -> None:
        folder = require_folder(Path(root).expanduser())
        self._images, self._masks = require_folder(folder / images), require_folder(folder / masks)
        names = find_images(self._images)
        if not names:
            raise ValueError(f"no image in {format_path(self._images)} or its subfolders")
        _require_masks(self._images, names, self._masks)
        self.classes = classes
        self.ignore = ignore
        # Worker processes share the memory of an array; reading the strings of a list would copy them.
        self._names = np.array([os.fsencode(name) for name in names])

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: int) -> tuple[str, sslreg.SegmentationMask]:
        name = self.name(index)
        classes = None if self.classes is None else len(self.classes)
        return os.path.join(self._images, name), partial(
            read_mask, self._masks / _mask_name(name), ignore=self.ignore, classes=classes
        )

    def name(self, index: int) -> str:
        """Return the image's path relative to the folder of images."""
        return os.fsdecode(self._names[index])


def _mask_name(image: str) -> str:
    return os.path.splitext(image)[0] + ".png"


def _require_masks(images: Path, names: Sequence[str], masks: Path) -> None:
    """Raise a ValueError that names the first image without a mask."""
    found = set(find_images(masks, {".png"}))
    missing = [name for name in names if _mask_name(name) not in found]
    if missing:
        raise ValueError(
            f"{len(missing)} of {len(names)} images in {format_path(images)} have no mask; the mask of '{missing[0]}' "
            f"would be '{masks / _mask_name(missing[0])}'"
        )


def read_mask(path: Path, *, ignore: int, classes: int | None) -> NDArray[np.generic]:
    """Read a mask (H, W) of class numbers from a PNG file, with 255 for pixels without a class.

    Args:
        path: the file.
        ignore: the value of pixels without a class, in addition to 255.
        classes: the number of classes; None allows any.

    Raises:
        sslreg.UserError: the file cannot be read, has colors, or has a class number that is too large.
    """
    try:
        with Image.open(path) as image:
            raw_mode = image.tile[0].args if image.tile else None
            image.load()
            if image.mode not in _MODES:
                raise sslreg.UserError(
                    f"the mask {path} has colors ({image.mode}), which are not class numbers",
                    hint="save it with a palette or gray levels, whose indices or levels are class numbers",
                    code="mask",
                )
            values = np.asarray(image).astype(np.int64) // _FACTORS.get(str(raw_mode), 1)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise sslreg.UserError(f"the mask {path} cannot be read: {error}", code="mask") from error
    values[values == ignore] = sslreg.IGNORED_PIXEL
    largest = int(values.max(initial=0, where=values != sslreg.IGNORED_PIXEL))
    if classes is not None and largest >= classes:
        raise sslreg.UserError(
            f"the mask {path} has the class number {largest}, and there are {classes} classes, from 0 to {classes - 1}",
            hint="complete classes, or name the value of pixels without a class in ignore",
            code="mask",
        )
    return values.astype(np.uint8) if largest < sslreg.IGNORED_PIXEL else values
