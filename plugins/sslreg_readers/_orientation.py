"""The orientation that the metadata of a JPEG file asks for."""

from __future__ import annotations

from typing import Literal

_START, _METADATA, _SCAN = b"\xff\xd8", b"\xff\xe1", b"\xff\xda"
_EXIF = b"Exif\x00\x00"
#: The number that follows the byte order in a TIFF header, with which EXIF begins; and the tag of the orientation.
_TIFF, _ORIENTATION = 42, 0x0112
#: The name of the orientation in XMP.
_XMP_ORIENTATION = b"tiff:Orientation"


def may_be_rotated(data: bytes) -> bool:
    """Return whether metadata before the pixels may ask for another orientation, or cannot be read."""
    position = len(_START)
    while (marker := data[position : position + 2]) != _SCAN:
        if len(marker) < 2 or marker[0] != _SCAN[0]:
            return True
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if marker == _METADATA:
            segment = data[position + 4 : end]
            if _XMP_ORIENTATION in segment or (segment.startswith(_EXIF) and _exif_orientation(segment) != 1):
                return True
        position = end
    return False


def _exif_orientation(segment: bytes) -> int:
    """Return the orientation in the first directory: 1 is upright, also if there is none; 0 is unreadable."""
    tiff = segment[len(_EXIF) :]
    order: Literal["little", "big"] = "little" if tiff.startswith(b"II") else "big"

    def number(start: int, size: int) -> int:
        return int.from_bytes(tiff[start : start + size], order)

    if number(2, 2) != _TIFF:
        return 0
    directory = number(4, 4)
    entries = range(directory + 2, directory + 2 + 12 * number(directory, 2), 12)
    return next((number(entry + 8, 2) for entry in entries if number(entry, 2) == _ORIENTATION), 1)
