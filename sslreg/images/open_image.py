"""Images of any form to tensors (C, H, W), at once or when they are needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sslreg.contracts.batch import ImageLike
from sslreg.contracts.reader import Part, PartialImage, PartialReader, Pixels, Reader, Source
from sslreg.errors import UserError
from sslreg.images.channels import WHITE, Color, convert_channels, lay_over, require_convertible
from sslreg.images.convert import convert_array, convert_pixels
from sslreg.images.pil_image import pixels_from_pil
from sslreg.images.readers import Readers
from sslreg.phase_clock import count_loading

_ARRAYS = (Tensor, np.ndarray)


def read_pixels(image: ImageLike | UserError, readers: Readers | None = None) -> Pixels:
    """Return an image as its reader decodes it, before channels, range and background are converted.

    Args:
        image: As for `load_image`, which also takes the result.
        readers: As for `load_image`.

    Raises:
        UserError: The image cannot be read; the message names the file.
    """
    if isinstance(image, UserError):
        raise image
    readers = readers or Readers()
    try:
        if isinstance(image, _ARRAYS):
            return Pixels(image if image.ndim == 3 else image[None])
        if isinstance(image, bytes | str | Path):
            return _read_encoded(Source(image, readers.max_pixels), readers)
        if isinstance(image, Image.Image):
            return pixels_from_pil(image)
        raise _not_an_image(image)
    except Exception as error:
        raise _describe(image, error) from error


def load_image(
    image: ImageLike | Pixels | UserError, channels: int | None = None, readers: Readers | None = None
) -> Tensor:
    """Return an image as a tensor (C, H, W), uint8, or float32 in [0, 1] if it has more than 8 bits.

    An alpha channel is laid over the background, by default white, unless the image has as many channels as asked for.
    Palettes and all color spaces become RGB, and the orientation in EXIF is applied.

    Args:
        image: Encoded bytes, a path, a PIL image, or pixels: a tensor or an array (C, H, W), or (H, W) for gray, of
            uint8, uint16 or floating point in [0, 1]; or what `read_pixels` returns. An error in place of an image, by
            which a data set reports that it could not read one, is raised.
        channels: The wanted C. 1 and 3 convert between gray and RGB; any other number has to match. None keeps the
            channels of the image.
        readers: Those that may open an encoded image, the number of pixels that it may have, the levels that are black
            and white, and the background; by default all that are installed, and the defaults of ``data``. A random
            background is white.

    Raises:
        UserError: The image cannot be read or interpreted; the message names the file.
    """
    opened = open_image(image, channels, readers)
    return opened if isinstance(opened, Tensor) else opened.decode()


class EncodedImage:
    """An image that is not decoded yet.

    Attributes:
        shape: C, H, W once decoded.
        dtype: torch.uint8, or torch.float32 for more than 8 bits.
    """

    def __init__(self, source: Source, image: PartialImage, convert: Callable[[Pixels], Tensor]) -> None:
        self._source, self._image, self._convert = source, image, convert
        # One pixel tells what becomes of the channels and of the type.
        pixel = convert(Pixels(torch.zeros((image.shape[0], 1, 1), dtype=image.dtype)))
        self.shape = torch.Size((len(pixel), *image.shape[1:]))
        self.dtype = pixel.dtype

    def decode(self, reduction: int = 1) -> Tensor:
        """Return the image reduced by 1, 2, 4 or 8; height and width are rounded up.

        Raises:
            UserError: It cannot be read.
        """
        try:
            return self._convert(self._image.read(reduction))
        except Exception as error:
            raise _describe(self._source, error) from error

    def decode_parts(self, parts: Sequence[Part]) -> list[Tensor] | None:
        """Return parts of the image; None if its reader cannot decode them, or not faster than the whole image.

        Raises:
            UserError: It cannot be read.
        """
        try:
            decoded = self._image.read_parts(parts)
            return None if decoded is None else [self._convert(pixels) for pixels in decoded]
        except Exception as error:
            raise _describe(self._source, error) from error


class TransparentImage:
    """A decoded image with an opacity, whose background is not chosen yet.

    Attributes:
        shape: C, H, W in front of a background.
        dtype: torch.uint8, or torch.float32 for more than 8 bits.
    """

    def __init__(self, levels: Tensor, channels: int | None) -> None:
        self._levels, self._channels = levels, channels
        self.shape = torch.Size((channels or len(levels) - 1, *levels.shape[1:]))
        self.dtype = levels.dtype

    def decode(self, background: Color = WHITE) -> Tensor:
        """Return the image in front of a background."""
        return convert_channels(lay_over(self._levels, background), self._channels)


def open_image(
    image: ImageLike | Pixels | UserError, channels: int | None = None, readers: Readers | None = None
) -> Tensor | EncodedImage | TransparentImage:
    """Return an image as `load_image` does, or undecoded if its reader can tell its shape before.

    With a random background, a transparent image is returned without a background.
    """
    if isinstance(image, UserError):
        raise image
    readers = readers or Readers()
    convert = partial(_convert, channels=channels, readers=readers)
    try:
        # Arrays first: small images come in large numbers, and each test of their type takes part of the time.
        if isinstance(image, _ARRAYS):
            background = None if readers.background == "random" else readers.background
            return convert_array(image, channels, range=readers.range, background=background)
        if isinstance(image, bytes | str | Path):
            return _open_encoded(Source(image, readers.max_pixels), convert, readers)
        if isinstance(image, Image.Image):
            return convert(pixels_from_pil(image))
        if isinstance(image, Pixels):
            return convert(image)
        raise _not_an_image(image)
    # Decoders raise anything at a broken file, SyntaxError and struct.error included.
    except Exception as error:
        raise _describe(image, error) from error


def _convert(pixels: Pixels, channels: int | None, readers: Readers) -> Tensor | TransparentImage:
    """Return decoded pixels in the form that a run asks for."""
    if readers.background != "random":
        return convert_pixels(pixels, channels, range=readers.range, background=readers.background)
    if not pixels.alpha:
        return convert_pixels(pixels, channels, range=readers.range)
    levels = convert_pixels(pixels, None, range=readers.range, background="keep")
    require_convertible(len(levels) - 1, channels)
    return TransparentImage(levels, channels)


def _not_an_image(image: object) -> UserError:
    return UserError(
        f"a {type(image).__name__} is not an image",
        hint="give bytes, a path, a PIL image, or a tensor or array (C, H, W)",
    )


def _read_encoded(source: Source, readers: Readers) -> Pixels:
    try:
        return _read(source, _choose_reader(source, readers))
    finally:
        source.close()


def _open_encoded(
    source: Source, convert: Callable[[Pixels], Tensor | TransparentImage], readers: Readers
) -> Tensor | EncodedImage | TransparentImage:
    try:
        reader = _choose_reader(source, readers)
        if reader.faster_with is not None:
            count_loading(f"faster with {reader.faster_with}")
        opened = reader.open(source) if isinstance(reader, PartialReader) else None
        if opened is None:
            return convert(_read(source, reader))
        source.require_size(*opened.shape[1:])
        return EncodedImage(source, opened, cast(Callable[[Pixels], Tensor], convert))  # it has no alpha channel
    finally:
        source.close()


def _choose_reader(source: Source, readers: Readers) -> Reader:
    if not source.head:
        raise UserError("the file is empty")
    return readers.choose(source)


def _read(source: Source, reader: Reader) -> Pixels:
    pixels = reader.read(source)
    source.require_size(*pixels.levels.shape[1:])
    return pixels


def _describe(image: ImageLike | Pixels | Source, error: Exception) -> UserError:
    """Return the error as one that names the image."""
    name = _name(image)
    if isinstance(error, UserError):
        found = error.diagnostics[0]
        if found.code == "image":
            return error
        return UserError(f"{name}: {found.message}", hint=found.hint, code="image")
    if isinstance(error, FileNotFoundError):
        return UserError(f"{name}: there is no such file", code="image")
    return UserError(f"{name} cannot be read: {type(error).__name__}: {error}", code="image")


def _name(image: ImageLike | Pixels | Source) -> str:
    match image:
        case Source():
            return str(image)
        case bytes() | str() | Path():
            return str(Source(image))
        case Image.Image():
            return str(getattr(image, "filename", "") or "a PIL image")
    return f"an image of type {type(image).__name__}"
