"""DICOM files."""

from __future__ import annotations

import copy
import io
import os
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

import sslreg
from sslreg_readers._extra import require_library
from sslreg_readers._frames import choose_frames

#: The position and the text by which a file with a preamble is recognized, and the first tags of one without.
_SIGNATURE_AT, _SIGNATURE = 128, b"DICM"
_FIRST_GROUPS = (b"\x02\x00", b"\x08\x00")

#: What `Dicom.window` may be: all levels, the window in the file, or its center and width.
_Window = Literal["full", "file"] | tuple[float, float]


class Dicom(sslreg.Reader):
    """DICOM files with gray levels, RGB, YBR or palettes, also compressed ones; needs the extra ``formats``.

    Gray levels are rescaled by the slope and intercept or the modality LUT in the file, so those of CT are Hounsfield
    units. Black and white are the smallest and the largest level of the stored bits; `data.range` in the spec replaces
    them. MONOCHROME1 is inverted. Overlays and presentation states are ignored.

    Args:
        window: The levels that are spread from black to white: ``full`` for all, ``file`` for the window or the VOI LUT
            in the file, or a center and a width.
        frames: The frame to read, from 0, or ``channels`` to read all frames as channels of one image. Without a
            choice, files with several frames are refused.
    """

    extensions = (".dcm", ".dicom")

    def __init__(
        self,
        window: _Window = "full",
        frames: Annotated[int, Field(ge=0)] | Literal["channels"] | None = None,
    ) -> None:
        if not isinstance(window, str) and window[1] < 1:
            raise ValueError("window: the width of a window is at least 1")
        self.window = window
        self.frames = frames

    def matches(self, name: str, head: bytes) -> bool:
        if head[_SIGNATURE_AT : _SIGNATURE_AT + len(_SIGNATURE)] == _SIGNATURE:
            return True
        return os.path.splitext(name)[1].lower() in self.extensions and head.startswith(_FIRST_GROUPS)

    def read(self, source: sslreg.Source) -> sslreg.Pixels:
        pydicom = require_library("pydicom", "a DICOM file")
        data = pydicom.dcmread(io.BytesIO(source.data), force=True)
        if "Rows" not in data or "Columns" not in data:
            raise sslreg.UserError("it has no image", hint="remove it from the data set")
        source.require_size(data.Rows, data.Columns)
        chosen = choose_frames(int(data.get("NumberOfFrames") or 1), self.frames, reader="dicom", name="frames")
        return _stack([self._read_frame(data, number) for number in chosen])

    def _read_frame(self, data: Any, number: int) -> sslreg.Pixels:
        pixels = require_library("pydicom.pixels", "a DICOM file")
        # YBR becomes RGB.
        stored = pixels.pixel_array(data, index=number)
        if data.PhotometricInterpretation == "PALETTE COLOR":
            return sslreg.Pixels(_channels_first(pixels.apply_color_lut(stored, data)))
        if stored.ndim == 3:
            return sslreg.Pixels(_channels_first(stored), _full_scale(data.BitsStored))
        if stored.dtype.kind == "f":
            levels, range_ = stored, (0.0, 1.0)
        else:
            levels, range_ = self._apply_window(stored, _with_frame_attributes(data, number), pixels)
        if data.PhotometricInterpretation == "MONOCHROME1":
            return sslreg.Pixels(levels[None], (range_[1], range_[0]))
        return sslreg.Pixels(levels[None], None if stored.dtype.kind == "f" else range_)

    def _apply_window(self, stored: NDArray[Any], data: Any, pixels: Any) -> tuple[NDArray[Any], tuple[float, float]]:
        """Return rescaled and windowed levels (H, W), and the levels that mean black and white."""
        rescaled = pixels.apply_modality_lut(stored, data)
        low, high = _rescaled_range(data)
        if self.window == "file":
            if "VOILUTSequence" in data:
                depth = data.VOILUTSequence[0].LUTDescriptor[2]
                return _readable(pixels.apply_voi(rescaled, data)), (0.0, 2.0**depth - 1)
            if "WindowCenter" not in data or "WindowWidth" not in data:
                raise sslreg.UserError("it has no window", hint="state one: {use: dicom, window: [center, width]}")
            return _readable(pixels.apply_windowing(rescaled, data)), (low, high)
        if self.window != "full":
            data = copy.copy(data)
            data.WindowCenter, data.WindowWidth = self.window
            data.VOILUTFunction = "LINEAR"
            return _readable(pixels.apply_windowing(rescaled, data)), (low, high)
        return _readable(rescaled), (low, high)


def _with_frame_attributes(data: Any, number: int) -> Any:
    """Return a data set with the transformation and the window of a frame, which enhanced images have in sequences."""
    shared = data.get("SharedFunctionalGroupsSequence") or []
    of_frames = data.get("PerFrameFunctionalGroupsSequence") or []
    groups = [*shared[:1], *of_frames[number : number + 1]]
    if not groups:
        return data
    merged = copy.copy(data)
    for group in groups:
        for name in ("PixelValueTransformationSequence", "FrameVOILUTSequence"):
            if group.get(name):
                merged.update(group.get(name)[0])
    return merged


def _rescaled_range(data: Any) -> tuple[float, float]:
    """Return the smallest and the largest level that the stored bits can represent, rescaled."""
    bits = data.BitsStored
    low, high = (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1) if data.PixelRepresentation else (0.0, 2.0**bits - 1)
    if data.get("ModalityLUTSequence"):
        return 0.0, 2.0 ** data.ModalityLUTSequence[0].LUTDescriptor[2] - 1
    if "RescaleSlope" in data and "RescaleIntercept" in data:
        ends = [end * float(data.RescaleSlope) + float(data.RescaleIntercept) for end in (low, high)]
        return min(ends), max(ends)
    return low, high


def _full_scale(bits: int) -> tuple[float, float] | None:
    return None if bits in (8, 16) else (0.0, 2.0**bits - 1)


def _channels_first(levels: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(levels.transpose(2, 0, 1))


def _readable(levels: NDArray[Any]) -> NDArray[Any]:
    """Return levels as uint8, uint16 or float32."""
    return levels if levels.dtype in (np.uint8, np.uint16) else levels.astype(np.float32)


def _stack(frames: Sequence[sslreg.Pixels]) -> sslreg.Pixels:
    """Return frames as channels of one image. If frames are rescaled differently, black and white span all of them."""
    if len(frames) == 1:
        return frames[0]
    levels = np.concatenate([frame.levels for frame in frames])
    ranges = [frame.range for frame in frames if frame.range is not None]
    if not ranges:
        return sslreg.Pixels(levels)
    low, high = min(map(min, ranges)), max(map(max, ranges))
    return sslreg.Pixels(levels, (high, low) if ranges[0][0] > ranges[0][1] else (low, high))
