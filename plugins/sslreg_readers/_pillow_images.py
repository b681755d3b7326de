"""Opens images with Pillow."""

from __future__ import annotations

import io

from PIL import Image, UnidentifiedImageError

import sslreg


def open_by_pillow(source: sslreg.Source) -> Image.Image:
    """Open an image that has not too many pixels; it is not decoded yet.

    Raises:
        sslreg.UserError: It has too many pixels, or Pillow cannot represent it.
    """
    # A spec that allows more than Pillow does is meant to apply to Pillow, too. Pillow knows one limit for all threads.
    if Image.MAX_IMAGE_PIXELS is not None and source.max_pixels > 2 * Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = source.max_pixels
    try:
        image = Image.open(io.BytesIO(source.data))
    except Image.DecompressionBombError as error:
        raise sslreg.UserError(
            f"it has too many pixels: {error}", hint="if the image is sound, raise data.max_pixels"
        ) from error
    except UnidentifiedImageError as error:
        raise sslreg.UserError("Pillow cannot decode it", hint="convert it, or install a reader for it") from error
    source.require_size(image.height, image.width)
    return image
