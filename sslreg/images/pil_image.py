"""Images that Pillow has opened."""

from __future__ import annotations

import numpy as np
from PIL import ExifTags, Image, ImageOps

from sslreg.contracts.reader import Pixels
from sslreg.errors import UserError


def pixels_from_pil(image: Image.Image, channels: int | None = None) -> Pixels:
    """Decode an image that Pillow has opened; readers that build on Pillow can use it.

    The orientation in EXIF is applied. A palette becomes RGB, black and white become levels of 8 bits.

    Args:
        image: Of any mode.
        channels: How many channels the run asks for. CMYK, YCbCr, LAB and HSV become RGB unless they have as many.

    Raises:
        UserError: The levels have more than 16 bits.
    """
    if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        image = ImageOps.exif_transpose(image)
    if image.mode == "P" or "transparency" in image.info:
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode in ("CMYK", "YCbCr", "LAB", "HSV") and channels != len(image.getbands()):
        image = image.convert("RGB")
    levels = np.array(image)
    if levels.dtype == np.int32:
        # Pillow's mode I: 16-bit levels in 32 bits.
        if levels.min() < 0 or levels.max() > 0xFFFF:
            raise UserError("its levels are 32-bit integers beyond 16 bits", hint="scale it to 16 bits")
        levels = levels.astype(np.uint16)
    levels = levels[None] if levels.ndim == 2 else levels.transpose(2, 0, 1)
    return Pixels(levels, alpha=image.mode in ("LA", "RGBA", "La", "RGBa"))
