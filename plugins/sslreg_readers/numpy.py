"""Arrays in NumPy's formats."""

from __future__ import annotations

import io
import zipfile
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

import sslreg
from sslreg_readers._array_levels import to_readable

_SIGNATURE, _ZIP = b"\x93NUMPY", b"PK\x03\x04"
#: Where the name of the first file in a zip archive begins.
_NAME_AT = 30


class Numpy(sslreg.Reader):
    """Images in .npy and .npz files.

    Levels of uint8, uint16 and bool, and floating-point levels in [0, 1], are used as they are. Others need
    `data.range` in the spec. Nothing is unpickled.

    Args:
        layout: The axes of the array: height, width and channels. By default HW; arrays of three axes are refused
            without it.
        key: The name of the array in a .npz file, which may be omitted if there is only one.
    """

    extensions = (".npy", ".npz")

    def __init__(self, layout: Literal["HW", "CHW", "HWC"] = "HW", key: str | None = None) -> None:
        self.layout = layout
        self.key = key

    def matches(self, name: str, head: bytes) -> bool:
        if head.startswith(_ZIP):
            size = int.from_bytes(head[26:28], "little")
            return size > 0 and head[_NAME_AT : _NAME_AT + size].endswith(b".npy")
        return head.startswith(_SIGNATURE)

    def read(self, source: sslreg.Source) -> sslreg.Pixels:
        if not source.head.startswith(_ZIP):
            return sslreg.Pixels(self._read_array(io.BytesIO(source.data), source))
        with zipfile.ZipFile(io.BytesIO(source.data)) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            key = self.key or (names[0] if len(names) == 1 else None)
            if key not in names:
                raise sslreg.UserError(
                    f"its arrays are {', '.join(names)}{f', and not {key}' if key else ''}",
                    hint=f"choose one: data.readers: [{{use: numpy, key: {names[0]}}}]",
                )
            with archive.open(f"{key}.npy") as file:
                return sslreg.Pixels(self._read_array(file, source))

    def _read_array(self, file: IO[bytes], source: sslreg.Source) -> NDArray[Any]:
        """Return the levels (C, H, W) of an array whose shape and type are checked before it is read."""
        shape, dtype = _read_header(file)
        if len(shape) != len(self.layout):
            raise sslreg.UserError(
                f"its shape is {shape}, and its layout is {self.layout}",
                hint="state the axes: data.readers: [{use: numpy, layout: CHW}], or HWC, or HW",
            )
        if dtype.kind not in "buif":
            raise sslreg.UserError(f"its levels are of type {dtype}", hint="store it as uint8, uint16 or float32")
        source.require_size(shape[self.layout.index("H")], shape[self.layout.index("W")])
        file.seek(0)
        levels: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
        if self.layout == "HW":
            levels = levels[None]
        elif self.layout == "HWC":
            levels = levels.transpose(2, 0, 1)
        readable = to_readable(levels)
        return readable * np.uint8(255) if levels.dtype.kind == "b" else readable


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype
