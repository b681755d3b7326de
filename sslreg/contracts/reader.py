"""The contract of readers: encoded images to pixels."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
import torch
from torch import Tensor

from sslreg.contracts.component import Component
from sslreg.errors import UserError
from sslreg.phase_clock import measure_loading
from sslreg.spec.sections import MAX_PIXELS

#: How many bytes at the start of an image a reader is chosen by.
HEAD_SIZE = 512

_FILE_TYPES = {stat.S_IFIFO: "FIFO", stat.S_IFSOCK: "socket", stat.S_IFDIR: "folder"}


@dataclass(frozen=True)
class Pixels:
    """A decoded image.

    Attributes:
        levels: (C, H, W), uint8, uint16 or float32.
        range: The levels that mean black and white, the larger first if the image is inverted; None: 0 and 255 for
            uint8, 0 and 65535 for uint16, 0 and 1 for floating point. Levels lie between both, unless the spec states
            others in ``data.range``.
        alpha: Whether the last channel is opacity, for which the larger end of the range is opaque. The spec states
            what is behind it in ``data.background``.
    """

    levels: Tensor | np.ndarray[Any, Any]
    range: tuple[float, float] | None = None
    alpha: bool = False


class Source:
    """An encoded image: bytes in memory, or a file.

    Attributes:
        path: The file, None for bytes in memory.
        max_pixels: How many pixels the image may have at most.
    """

    def __init__(self, image: bytes | str | Path, max_pixels: int = MAX_PIXELS) -> None:
        self._image = image
        self._file: IO[bytes] | None = None
        self.path = None if isinstance(image, bytes) else Path(image)
        self.max_pixels = max_pixels

    def __str__(self) -> str:
        """Return the name that errors use."""
        return f"an encoded image of {len(self._image)} bytes" if isinstance(self._image, bytes) else str(self._image)

    @property
    def name(self) -> str:
        """The file's name, empty for bytes in memory."""
        return "" if self.path is None else self.path.name

    @cached_property
    def head(self) -> bytes:
        """The first 512 bytes, or fewer if the image has fewer."""
        if isinstance(self._image, bytes):
            return self._image[:HEAD_SIZE]
        # Left open for `data`: on a network, opening a file takes longer than reading it.
        with measure_loading("reading"):
            self._file = _open_regular(self._image)
            return self._file.read(HEAD_SIZE)

    @cached_property
    def data(self) -> bytes:
        """All bytes of the image."""
        if isinstance(self._image, bytes):
            return self._image
        with measure_loading("reading"):
            if self._file is None:
                with _open_regular(self._image) as file:
                    return file.read()
            self._file.seek(0)
            return self._file.read()

    def require_size(self, height: int, width: int) -> None:
        """Check that the image is not too large to be decoded. Readers call it as soon as they know the size.

        Raises:
            UserError: It has more than `max_pixels` pixels.
        """
        if height * width > self.max_pixels:
            raise UserError(
                f"it has {height:,} × {width:,} pixels, and at most {self.max_pixels:,} are allowed",
                hint=f"if the image is sound, raise data.max_pixels to {height * width}",
            )

    def close(self) -> None:
        """Close the file. `data` opens it again if it is read later."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _open_regular(path: str | Path) -> IO[bytes]:
    """Open a file for reading.

    Raises:
        UserError: It is a FIFO, a socket, a device or a folder, which may have no end or make the reader wait forever.
    """
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        raise UserError(f"it is a {_FILE_TYPES.get(stat.S_IFMT(mode), 'device')}, not a regular file")
    return open(path, "rb", buffering=0, opener=_open_without_waiting)


def _open_without_waiting(path: str, flags: int) -> int:
    """Open a file that may have been replaced by a FIFO in the meantime."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


class Reader(Component):
    """Base class of readers of an image format.

    A reader is built once in a process and used for any number of images; it is pickled into workers. It takes no
    required parameters, so that it works without being named in a spec.
    """

    @property
    def extensions(self) -> Collection[str]:
        """The extensions of the format's files, lower-case and with their dot; data sets look for files with them."""
        return ()

    @property
    def faster_with(self) -> str | None:
        """What to install so that this reader decodes faster, such as ``sslreg[fast]``; None if nothing is missing.

        The report on the time of a training names it if decoding holds the training up.
        """
        return None

    def matches(self, name: str, head: bytes) -> bool:
        """Return whether this reader can read an image.

        It decides by the signature in `head`. A format without a signature may go by the extension of `name`.

        Args:
            name: The file's name, empty for bytes in memory.
            head: The image's first 512 bytes.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement matches(name, head)")

    def read(self, source: Source) -> Pixels:
        """Decode an image. Any exception means that it is broken; the message names the file."""
        raise NotImplementedError(f"{type(self).__name__} does not implement read(source)")


@dataclass(frozen=True)
class Part:
    """A rectangle of an image that is reduced by 2, 4 or 8, in pixels of the reduced image; not empty.

    The height and width of a reduced image are rounded up.
    """

    reduction: int
    top: int
    left: int
    height: int
    width: int


class PartialImage(Protocol):
    """An image whose shape is known and that is not decoded yet.

    Attributes:
        shape: C, H, W of what `read` returns.
        dtype: torch.uint8 for images of 8 bits, else torch.float32.
    """

    @property
    def shape(self) -> Sequence[int]: ...

    @property
    def dtype(self) -> torch.dtype: ...

    def read(self, reduction: int = 1) -> Pixels:
        """Decode the whole image, reduced by 1, 2, 4 or 8 with smoothing; height and width are rounded up."""
        ...

    def read_parts(self, parts: Sequence[Part]) -> Sequence[Pixels] | None:
        """Decode parts in one pass. None: that is impossible or no faster than `read`, which is called instead."""
        ...


class PartialReader(Reader):
    """A reader that can also decode parts of an image in reduced sizes.

    A run then decodes no more of a large photograph than its views show.
    """

    def open(self, source: Source) -> PartialImage | None:
        """Return the image without decoding it. None: this image has to be decoded by `read`.

        The image has no alpha channel and has the same pixels as `read` returns.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement open(source)")
