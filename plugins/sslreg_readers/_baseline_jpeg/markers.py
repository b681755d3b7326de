"""Parses the segments of a JPEG file before its pixels (ITU-T T.81, annex B)."""

from __future__ import annotations

from dataclasses import dataclass

_START_OF_SCAN = 0xDA
_BASELINE, _HUFFMAN, _QUANTIZATION, _RESTART_INTERVAL = 0xC0, 0xC4, 0xDB, 0xDD
_APPLICATION, _COMMENT = range(0xE0, 0xF0), 0xFE

#: The supported sampling factors of luma, horizontal and vertical; those of both chroma components are 1.
_SAMPLINGS = ((1, 1), (2, 1), (1, 2), (2, 2))


class UnsupportedError(ValueError):
    """The file is broken, or of a kind that this package does not decode."""


@dataclass(frozen=True)
class Component:
    """Luma or chroma: sampling factors, quantization table (64,) in zigzag order, Huffman tables."""

    horizontal: int
    vertical: int
    quantization: bytes
    dc: bytes
    ac: bytes


@dataclass(frozen=True)
class Scan:
    """The header of the only scan of a baseline file.

    Attributes:
        height: In pixels, 1 to 65535.
        width: In pixels, 1 to 65535.
        components: One, or three with supported sampling factors.
        restart_interval: In MCUs, 0 without restart markers.
        start: Where the entropy-coded data begin, at most the file's length.
    """

    height: int
    width: int
    components: tuple[Component, ...]
    restart_interval: int
    start: int

    @property
    def mcu_height(self) -> int:
        """The height in pixels of a minimum coded unit (A.2.4)."""
        return 8 * self.components[0].vertical

    @property
    def mcu_width(self) -> int:
        return 8 * self.components[0].horizontal

    @property
    def mcu_rows(self) -> int:
        return -(-self.height // self.mcu_height)

    @property
    def mcu_columns(self) -> int:
        return -(-self.width // self.mcu_width)


def read_markers(data: bytes) -> Scan:
    """Parse the segments before the pixels.

    Raises:
        UnsupportedError: The file is broken, or is not a baseline file of one scan.
    """
    try:
        return _Segments(data).parse()
    except (IndexError, KeyError) as error:
        raise UnsupportedError("a segment is truncated or names a missing table") from error


class _Segments:
    """Collects tables until the scan begins."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.quantization: dict[int, bytes] = {}
        self.huffman: dict[int, bytes] = {}
        self.restart_interval = 0
        self.frame: bytes | None = None

    def parse(self) -> Scan:
        position = 2
        while True:
            if self.data[position] != 0xFF:
                raise UnsupportedError("a marker is missing")
            marker = self.data[position + 1]
            end = position + 2 + int.from_bytes(self.data[position + 2 : position + 4], "big")
            segment = self.data[position + 4 : end]
            if end > len(self.data) or end < position + 4:
                raise UnsupportedError("a segment is truncated")
            if marker == _START_OF_SCAN:
                return self._parse_scan(segment, end)
            self._parse_segment(marker, segment)
            position = end

    def _parse_segment(self, marker: int, segment: bytes) -> None:
        if marker == _HUFFMAN:
            self._parse_huffman(segment)
        elif marker == _QUANTIZATION:
            self._parse_quantization(segment)
        elif marker == _BASELINE and self.frame is None:
            self.frame = segment
        elif marker == _RESTART_INTERVAL:
            self.restart_interval = int.from_bytes(segment, "big")
        elif marker not in _APPLICATION and marker != _COMMENT:
            raise UnsupportedError(f"marker {marker:#x}")

    def _parse_huffman(self, segment: bytes) -> None:
        """Parse class and number, the number of codes of each length, and their symbols (B.2.4.2)."""
        while segment:
            size = 17 + sum(segment[1:17])
            if len(segment) < size:
                raise UnsupportedError("a Huffman table is truncated")
            self.huffman[segment[0]] = segment[1:size]
            segment = segment[size:]

    def _parse_quantization(self, segment: bytes) -> None:
        """Parse tables of 8 bits, the only ones in baseline files (B.2.4.1)."""
        while segment:
            if segment[0] > 3 or len(segment) < 65:
                raise UnsupportedError("a quantization table has 16 bits or is truncated")
            self.quantization[segment[0]] = segment[1:65]
            segment = segment[65:]

    def _parse_scan(self, segment: bytes, start: int) -> Scan:
        """Combine the frame's components with the tables that the scan names (B.2.2 and B.2.3)."""
        frame = self.frame
        if frame is None or frame[0] != 8 or len(frame) != 6 + 3 * frame[5] or frame[5] not in (1, 3):
            raise UnsupportedError("no frame of 8 bits and one or three components")
        count = frame[5]
        if len(segment) != 4 + 2 * count or segment[0] != count or segment[-3:] != b"\x00\x3f\x00":
            raise UnsupportedError("its components are in several scans")
        components = []
        for number in range(count):
            identifier, sampling, quantization = frame[6 + 3 * number : 9 + 3 * number]
            named, tables = segment[1 + 2 * number : 3 + 2 * number]
            if named != identifier:
                raise UnsupportedError("the scan's components are in another order")
            components.append(
                Component(
                    sampling >> 4,
                    sampling & 15,
                    self.quantization[quantization],
                    self.huffman[tables >> 4],
                    self.huffman[0x10 | tables & 15],
                )
            )
        height, width = (int.from_bytes(frame[at : at + 2], "big") for at in (1, 3))
        if not height or not width:
            raise UnsupportedError("its height is missing")
        return Scan(height, width, _require_supported_sampling(components), self.restart_interval, start)


def _require_supported_sampling(components: list[Component]) -> tuple[Component, ...]:
    """Return the components if their sampling is supported; that of a single one has no meaning (A.2.2)."""
    if len(components) == 1:
        only = components[0]
        return (Component(1, 1, only.quantization, only.dc, only.ac),)
    first, *colors = components
    if (first.horizontal, first.vertical) not in _SAMPLINGS or any(
        (color.horizontal, color.vertical) != (1, 1) for color in colors
    ):
        raise UnsupportedError("its sampling is not 4:4:4, 4:2:2, 4:4:0 or 4:2:0")
    return tuple(components)
