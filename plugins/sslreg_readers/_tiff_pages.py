"""Pages of TIFF files, read with tifffile."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import sslreg
from sslreg_readers._array_levels import to_readable
from sslreg_readers._extra import require_library
from sslreg_readers._frames import FrameChoice, choose_frames, require_equal

#: Bits of the kind of a page: a reduced version of another page, a mask for another page.
REDUCED, MASK = 1, 4

_ORIENTATION = 274
_JPEG = 7

#: Values of the photometric interpretation.
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _YCBCR = 0, 1, 2, 3, 6

#: Values of extra samples: an opacity by which the colors are multiplied already, and any other opacity.
_PREMULTIPLIED, _OPACITY = 1, 2


@dataclass(frozen=True)
class _Page:
    """The pixels of a page: levels (C, H, W), the levels that mean black and white, and whether the last is opacity."""

    levels: NDArray[Any]
    range: tuple[float, float] | None
    alpha: bool


def read_pages(source: sslreg.Source, choice: FrameChoice, description: str) -> sslreg.Pixels:
    """Return a page of a file, or several as channels.

    Args:
        source: The file.
        choice: The pages to read.
        description: A description of the file, for the message that tifffile is missing.

    Raises:
        sslreg.UserError: tifffile is not installed, the choice does not fit the file, or pages cannot be interpreted.
    """
    tifffile = require_library("tifffile", description)
    with tifffile.TiffFile(io.BytesIO(source.data)) as file:
        pages = _find_pages(file)
        if choice is None and _declares_channels(file, len(pages)):
            choice = "channels"
        chosen = [pages[number] for number in choose_frames(len(pages), choice, reader="tiff", name="pages")]
        require_equal([_properties(page) for page in chosen], "pages")
        source.require_size(chosen[0].imagelength, chosen[0].imagewidth)
        read = [_read_page(page) for page in chosen]
    if len(read) == 1:
        return sslreg.Pixels(read[0].levels, read[0].range, alpha=read[0].alpha)
    return sslreg.Pixels(np.concatenate([page.levels for page in read]), read[0].range)


def _find_pages(file: Any) -> list[Any]:
    """Return the pages that are neither reduced versions of a page nor masks.

    Raises:
        sslreg.UserError: There is none, or there are pixels that belong to no page.
    """
    # An iteration would never end in a file whose pages form a cycle; the length counts each page once.
    pages = [file.pages[number] for number in range(len(file.pages))]
    if not pages:
        raise sslreg.UserError("it has no page")
    total = sum(page.size for page in pages)
    pages = [page for page in pages if not page.subfiletype & (REDUCED | MASK)]
    if not pages:
        raise sslreg.UserError(
            "it has only reduced versions of an image, as photographs in the format of a camera have",
            hint="convert it to RGB",
        )
    if sum(series.size for series in file.series) > total:
        raise sslreg.UserError(
            "it has images outside of its pages, as large stacks of ImageJ have", hint="store them as separate files"
        )
    return pages


def _declares_channels(file: Any, count: int) -> bool:
    """Return whether the metadata of OME or ImageJ say that all pages are channels of one image."""
    return len(file.series) == 1 and file.series[0].axes == "CYX" and len(file.series[0].pages) == count


def _properties(page: Any) -> dict[str, Any]:
    return {
        "size": f"{page.imagelength} × {page.imagewidth}",
        "bands": page.samplesperpixel,
        "type": page.dtype,
        "photometric interpretation": page.photometric.name,
    }


def _read_page(page: Any) -> _Page:
    """Decode a page.

    Raises:
        sslreg.UserError: Its levels are no brightness or color.
    """
    photometric, bits = int(page.photometric), page.bitspersample
    decoded = photometric == _YCBCR and page.compression == _JPEG
    if not decoded and photometric not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE):
        raise sslreg.UserError(
            f"its photometric interpretation is {page.photometric.name}", hint="convert it to gray or RGB"
        )
    if page.dtype is None or page.dtype.kind not in "biuf" or not isinstance(bits, int):
        raise sslreg.UserError(f"its levels are of type {page.dtype}, with {bits} bits", hint="convert it to 16 bits")
    levels = _to_channels_first(page)
    if photometric == _PALETTE:
        levels, bits = page.colormap[:, levels[0]], 16
    range_ = _full_scale(levels.dtype, bits, inverted=photometric == _WHITE_IS_ZERO)
    levels, alpha = _move_alpha_last(levels, page.extrasamples)
    levels = _apply_orientation(levels, page.tags.valueof(_ORIENTATION, 1))
    return _Page(np.ascontiguousarray(to_readable(levels)), range_, alpha)


def _to_channels_first(page: Any) -> NDArray[Any]:
    """Return the levels of a page as (C, H, W)."""
    levels: NDArray[Any] = page.asarray()
    match page.axes:
        case "YX":
            return levels[None]
        case "YXS":
            return levels.transpose(2, 0, 1)
        case "SYX":
            return levels
    raise sslreg.UserError(f"its axes are {page.axes}", hint="store it as images of height, width and bands")


def _full_scale(dtype: np.dtype[Any], bits: int, *, inverted: bool) -> tuple[float, float] | None:
    """Return the levels that mean black and white; None for the ends of the type, and for 0 and 1 of floating point.

    Signed integers and those of more than 16 bits have no levels that are black and white by convention. They become
    floating-point levels, which are refused outside of [0, 1] unless the spec states their range.
    """
    unsigned = dtype.kind in "bu" and bits <= 16
    white = float(2**bits - 1) if unsigned else 1.0
    if inverted:
        return (white, 0.0)
    return (0.0, white) if unsigned and bits not in (8, 16) else None


def _move_alpha_last(levels: NDArray[Any], extra: Sequence[int]) -> tuple[NDArray[Any], bool]:
    """Return the bands with the opacity last and not multiplied into the colors, and whether there is an opacity."""
    number = next((number for number, kind in enumerate(extra) if kind in (_PREMULTIPLIED, _OPACITY)), None)
    if number is None:
        return levels, False
    band = len(levels) - len(extra) + number
    levels = np.concatenate([np.delete(levels, band, axis=0), levels[band : band + 1]])
    if extra[number] == _PREMULTIPLIED:
        levels[:-1] = _divide_by_alpha(levels)
    return levels, True


def _divide_by_alpha(levels: NDArray[Any]) -> NDArray[Any]:
    """Return colors that are not multiplied by the opacity in the last channel."""
    top = np.iinfo(levels.dtype).max if levels.dtype.kind == "u" else 1.0
    alpha = levels[-1:].astype(np.float64)
    colors = np.divide(
        levels[:-1].astype(np.float64) * top, alpha, out=np.zeros(levels[:-1].shape), where=alpha > 0
    ).clip(0, top)
    return (np.rint(colors) if levels.dtype.kind == "u" else colors).astype(levels.dtype)


def _apply_orientation(levels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Return levels (C, H, W) as the tag Orientation says that they are to be shown."""
    if orientation in (5, 6, 7, 8):
        levels = levels.transpose(0, 2, 1)
    if orientation in (3, 4, 7, 8):
        levels = levels[:, ::-1]
    if orientation in (2, 3, 6, 7):
        levels = levels[:, :, ::-1]
    return levels
