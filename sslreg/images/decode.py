"""From whatever a data set gives as an image to a tensor (C, H, W)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import ExifTags, Image, ImageOps
from torch import Tensor

from sslreg.contracts.batch import ImageLike
from sslreg.errors import UserError
from sslreg.images.jpeg import Part, PlainJpeg

#: ITU-R 601-2 luma, the weights that torchvision and Pillow use.
LUMA = (0.2989, 0.587, 0.114)

_PIXELS = (Tensor, np.ndarray)


def load_image(image: ImageLike | UserError, channels: int | None = None) -> Tensor:
    """An image as a tensor (C, H, W), uint8, or float32 in [0, 1] where it has more than 8 bits.

    image: encoded bytes, a path, a PIL image, or pixels: a tensor or an array (C, H, W), or (H, W) for gray, of
        uint8, uint16 or floating point in [0, 1].
    channels: what C has to be. 1 and 3 convert between gray and RGB; any other number has to match. None keeps
        what the image has. An alpha channel is laid over white, unless as many channels as the file has are asked for.
        CMYK and palettes become RGB, and the orientation that EXIF tells is applied.

    Files are read by Pillow, which knows 16 bits of gray alone: color of 16 bits has to come as an array.

    UserError: the image cannot be read, or cannot be meant; the message names the file. One in the image's place, which
    is how a data set says that it could not read it, is raised.
    """
    opened = open_image(image, channels)
    return opened.decode() if isinstance(opened, Encoded) else opened


class Encoded:
    """A JPEG file whose shape (C, H, W) is known, and that is decoded when it is asked for."""

    dtype = torch.uint8

    def __init__(self, image: bytes | str | Path, file: PlainJpeg, channels: int) -> None:
        self.image, self.file, self.shape = image, file, torch.Size((channels, *file.shape[1:]))

    def decode(self, reduction: int = 1) -> Tensor:
        """The image, in a reduced size (rounded up) if told so: 2, 4 or 8. UserError: it cannot be read."""
        try:
            try:
                pixels = self.file.decode(reduction)
            except ValueError:
                # Pillow reads some broken files, and describes the others better.
                pixels = _with_pillow(self.file.data, None)
            return _with_channels(pixels, self.shape[0])
        except Exception as error:
            raise _explained(self.image, error) from error

    def decode_parts(self, parts: Sequence[Part]) -> list[Tensor] | None:
        """Parts of the image in reduced sizes. None: not of this file, or not here; `decode` it."""
        decoded = self.file.decode_parts(parts)
        return None if decoded is None else [_with_channels(pixels, self.shape[0]) for pixels in decoded]


def open_image(image: ImageLike | UserError, channels: int | None = None) -> Tensor | Encoded:
    """An image as `load_image` gives it, or what will decode it, where its shape can be known before."""
    if isinstance(image, UserError):
        raise image
    try:
        # Pixels first: of small images there are many, and asking for their type takes a good part of reading them.
        if isinstance(image, _PIXELS):
            pixels = _from_array(image)
        elif isinstance(image, bytes | str | Path):
            data = image if isinstance(image, bytes) else Path(image).read_bytes()
            if not data:
                raise UserError("the file is empty")
            file = PlainJpeg.of(data)
            if file is not None and channels in (None, 1, 3):
                return Encoded(image, file, channels or file.shape[0])
            pixels = _with_pillow(data, channels)
        elif isinstance(image, Image.Image):
            pixels = _from_pil(image, channels)
        else:
            raise UserError(
                f"a {type(image).__name__} is not an image",
                hint="give bytes, a path, a PIL image, or a tensor or array (C, H, W)",
            )
        return _with_channels(pixels, channels)
    # Pillow's decoders raise whatever they stumble over in a broken file, SyntaxError and struct.error included.
    except Exception as error:
        raise _explained(image, error) from error


def _explained(image: ImageLike, error: Exception) -> UserError:
    """What went wrong with an image, with its name."""
    if isinstance(error, UserError):
        told = error.diagnostics[0]
        return UserError(f"{_name(image)}: {told.message}", hint=told.hint, code="image")
    if isinstance(error, FileNotFoundError):
        return UserError(f"{_name(image)}: there is no such file", code="image")
    return UserError(f"{_name(image)} cannot be read: {type(error).__name__}: {error}", code="image")


def _name(image: ImageLike) -> str:
    match image:
        case str() | Path():
            return str(image)
        case bytes():
            return f"an encoded image of {len(image)} bytes"
        case Image.Image():
            return str(getattr(image, "filename", "") or "a PIL image")
    return f"an image of type {type(image).__name__}"


def _with_pillow(data: bytes, channels: int | None) -> Tensor:
    with Image.open(io.BytesIO(data)) as image:
        return _from_pil(image, channels)


def _from_pil(image: Image.Image, channels: int | None) -> Tensor:
    if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        image = ImageOps.exif_transpose(image)
    if image.mode == "P" or "transparency" in image.info:
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode in ("CMYK", "YCbCr", "LAB", "HSV") and channels != len(image.getbands()):
        image = image.convert("RGB")
    array = np.array(image)
    if array.dtype == np.int32:
        # Pillow's mode I: 16-bit levels in 32 bits.
        if array.min() < 0 or array.max() > 0xFFFF:
            raise UserError("its levels are 32-bit integers beyond 16 bits", hint="scale it to 16 bits")
        array = array.astype(np.uint16)
    pixels = _as_levels(torch.from_numpy(array))
    pixels = pixels.unsqueeze(0) if pixels.ndim == 2 else pixels.permute(2, 0, 1)
    return _over_white(pixels, channels) if image.mode in ("LA", "RGBA", "La", "RGBa") else pixels


def _from_array(image: Tensor | np.ndarray[Any, Any]) -> Tensor:
    shape = image.shape
    if len(shape) not in (2, 3):
        raise UserError(f"its shape is {tuple(shape)}", hint="an image is (C, H, W), or (H, W) for gray")
    if len(shape) == 3 and shape[2] <= 4 < shape[0]:
        raise UserError(
            f"its shape is {tuple(shape)}, which looks like (H, W, C)", hint="make it (C, H, W) by .transpose"
        )
    pixels = image.detach() if isinstance(image, Tensor) else torch.from_numpy(np.array(image))
    if len(shape) == 2:
        pixels = pixels.unsqueeze(0)
    return _as_levels(pixels)


def _as_levels(pixels: Tensor) -> Tensor:
    """uint8 as it is, uint16 and floating point as float32 in [0, 1]."""
    if not pixels.numel():
        raise UserError(f"it has no pixels: its shape is {tuple(pixels.shape)}")
    if pixels.dtype == torch.uint8:
        return pixels
    if pixels.dtype == torch.bool:
        return pixels.to(torch.uint8) * 255
    if pixels.dtype == torch.uint16:
        return pixels.to(torch.float32) / 0xFFFF
    if not pixels.is_floating_point():
        raise UserError(f"its levels are {pixels.dtype}", hint="make them uint8, uint16, or float32 in [0, 1]")
    low, high = (float(bound) for bound in torch.aminmax(pixels))
    if not (low >= 0.0 and high <= 1.0):
        raise UserError(
            f"its levels run from {low:g} to {high:g}",
            hint="floating-point images lie in [0, 1]: divide by the largest level, and leave normalizing to the views",
        )
    return pixels.to(torch.float32)


def _over_white(pixels: Tensor, channels: int | None) -> Tensor:
    """Color laid over white by its last channel, where there is one that is not asked for."""
    if len(pixels) not in (2, 4) or len(pixels) == channels:
        return pixels
    top = 255 if pixels.dtype == torch.uint8 else 1.0
    color, alpha = pixels[:-1].to(torch.float32), pixels[-1:].to(torch.float32) / top
    over = color * alpha + top * (1.0 - alpha)
    return over.round_().to(torch.uint8) if pixels.dtype == torch.uint8 else over


def _with_channels(pixels: Tensor, channels: int | None) -> Tensor:
    found = pixels.shape[0]
    if channels is None or found == channels:
        return pixels
    if channels == 3 and found == 1:
        return pixels.expand(3, -1, -1).contiguous()
    if channels == 1 and found == 3:
        gray: Tensor = torch.tensordot(torch.tensor([LUMA]), pixels.to(torch.float32), dims=1)
        return gray.round_().to(torch.uint8) if pixels.dtype == torch.uint8 else gray
    raise UserError(
        f"it has {found} channels, and {channels} are wanted",
        hint="only 1 and 3 channels are converted into each other; set data.channels to what the images have",
    )
