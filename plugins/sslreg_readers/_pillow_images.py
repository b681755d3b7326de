"""Opens images with Pillow, and refuses those of which Pillow would drop a part."""

from __future__ import annotations

import io

from PIL import Image, TiffImagePlugin, UnidentifiedImageError

import sslreg

#: Formats whose further frames are not images of their own: layers, of which the first frame is the composition.
_LAYERED = ("PSD",)

#: Tags of TIFF files. Bits of the kind: a reduced version of another page, a mask for another page.
_KIND, _WIDTH, _HEIGHT, _BITS, _SAMPLES = 254, 256, 257, 258, 277
_REDUCED, _MASK = 1, 4


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
        raise sslreg.UserError(
            f"Pillow cannot decode it{_describe_tiff(source.data)}", hint="convert it, or install a reader for it"
        ) from error
    source.require_size(image.height, image.width)
    return image


def require_one_page(image: Image.Image) -> None:
    """Check that there are no further pages or frames, which would be dropped.

    Raises:
        sslreg.UserError: There are.
    """
    if not getattr(image, "is_animated", False) or image.format in _LAYERED:
        return
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        count, name = _count_pages(image), "pages"
    else:
        count, name = getattr(image, "n_frames", 1), "frames"
    if count > 1:
        raise sslreg.UserError(
            f"it has {count} {name}, and a sample is one image", hint=f"store the {name} as separate files"
        )


def _count_pages(image: TiffImagePlugin.TiffImageFile) -> int:
    """Return the number of pages that are not reduced versions or masks of other pages."""
    pages = 0
    for number in range(image.n_frames):
        image.seek(number)
        pages += not image.tag_v2.get(_KIND, 0) & (_REDUCED | _MASK)
    image.seek(0)
    return pages


def require_all_bands(image: Image.Image) -> None:
    """Check that Pillow reads all bands of a TIFF file.

    Raises:
        sslreg.UserError: It would drop some.
    """
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        found, read = image.tag_v2.get(_SAMPLES, 1), len(image.getbands())
        if found > read:
            raise sslreg.UserError(
                f"it has {found} bands, of which Pillow reads {read}",
                hint=f"store all {found} bands in a format of another reader, or only those that you need",
            )


def _describe_tiff(data: bytes) -> str:
    """Return a description of the pixels of a TIFF file, empty for other files."""
    try:
        tags = TiffImagePlugin.ImageFileDirectory_v2(data[:8])
        file = io.BytesIO(data)
        file.seek(tags.next)
        tags.load(file)
        bands, bits = tags.get(_SAMPLES, 1), max(tags.get(_BITS, (1,)))
        plural = "s" if bands > 1 else ""
        return f": a TIFF file of {tags[_HEIGHT]} × {tags[_WIDTH]} pixels, {bands} band{plural} of {bits} bits"
    except Exception:  # noqa: BLE001 - it is another format, or broken
        return ""
