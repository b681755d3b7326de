"""Lookup tables for Huffman codes (ITU-T T.81, annexes C and F.2.2), each indexed by the next bits of the data."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sslreg_readers._baseline_jpeg.entropy import END_OF_BLOCK, WINDOW
from sslreg_readers._baseline_jpeg.markers import UnsupportedError

Table = NDArray[np.integer[Any]]


#: The most bits that a DC difference of a baseline file has (table F.1).
_LARGEST_DIFFERENCE = 11


@lru_cache(maxsize=64)
def tables(dc: bytes, ac: bytes) -> Table:
    """All that is looked up for a component: int32 (TABLES,).

    dc, ac: how many codes there are of each length from 1 to 16, and then their symbols (C.2).
    UnsupportedError: they are not those of a baseline file.
    """
    dc_codes, ac_codes = _codes(dc), _codes(ac)
    if (dc_codes & 0xFF > _LARGEST_DIFFERENCE).any():
        raise UnsupportedError("a Huffman table is for differences that baseline files do not have")
    # Runs without a number behind them are for progressive files, but for the end of a block and 16 zeros.
    ac_codes[(ac_codes & 15 == 0) & (ac_codes & 0xFF != 0) & (ac_codes & 0xFF != 0xF0)] = 0
    found = (_differences(dc_codes), _coefficients(ac_codes), _skips(ac_codes), dc_codes, ac_codes)
    joined = np.concatenate(found).astype(np.int32)
    joined.flags.writeable = False
    return joined


def _codes(table: bytes) -> Table:
    """Of each 16 bits: ``length << 8 | symbol`` of the code that they begin with, 0 for none. (65536,)."""
    counts, symbols = np.frombuffer(table[:16], np.uint8), np.frombuffer(table[16:], np.uint8)
    lengths = np.repeat(np.arange(1, 17), counts)
    shares = 1 << (16 - lengths)
    if shares.sum() >= 1 << 16:
        raise UnsupportedError("a Huffman table has more codes than there can be, since none is of ones alone")
    entries = np.repeat(lengths << 8 | symbols, shares)
    return np.pad(entries, (0, (1 << 16) - len(entries)))


def _differences(full: Table) -> Table:
    """Of each WINDOW bits: ``difference << 8 | bits`` of the DC coefficient in them, 0 where they do not hold one."""
    lengths, sizes, windows = _first(full)
    values = _extended(windows, lengths, sizes)
    fits = (lengths > 0) & (lengths + sizes <= WINDOW)
    return np.where(fits, values << 8 | lengths + sizes, 0)


def _coefficients(full: Table) -> Table:
    """Of each WINDOW bits: ``value << 16 | advance << 8 | bits`` of the AC coefficient in them, 0 if there is none.

    advance: by how many coefficients it is after the last, 1 to 16, or END_OF_BLOCK.
    """
    lengths, symbols, windows = _first(full)
    sizes = symbols & 15
    values = _extended(windows, lengths, sizes)
    advances = np.where(symbols == 0, END_OF_BLOCK, (symbols >> 4) + 1)
    fits = (lengths > 0) & (lengths + sizes <= WINDOW)
    return np.where(fits, values << 16 | advances << 8 | lengths + sizes, 0)


def _skips(full: Table) -> Table:
    """Of each WINDOW bits: ``advance << 8 | bits`` of all the AC coefficients whose codes lie in them.

    advance: by how many coefficients they lead on; 64, which is beyond any block, where there is no code.

    The last one's value may reach beyond the window: no one looks at it.
    """
    windows = np.arange(1 << WINDOW) << (16 - WINDOW)
    bits, advances = np.zeros_like(windows), np.zeros_like(windows)
    going = np.ones(len(windows), bool)
    while going.any():
        entries = full[(windows << np.minimum(bits, 16)) & 0xFFFF]
        lengths, symbols = entries >> 8, entries & 0xFF
        going &= (lengths > 0) & (bits + lengths <= WINDOW) & (advances < END_OF_BLOCK)
        bits += np.where(going, lengths + (symbols & 15), 0)
        advances += np.where(going, np.where(symbols == 0, END_OF_BLOCK, (symbols >> 4) + 1), 0)
    return np.where(bits == 0, 64, advances) << 8 | bits


def _first(full: Table) -> tuple[Table, Table, Table]:
    """Of each window: its first code's length and symbol, and the window itself, with zeros behind it to 16 bits."""
    windows = np.arange(1 << WINDOW) << (16 - WINDOW)
    return full[windows] >> 8, full[windows] & 0xFF, windows


def _extended(windows: Table, lengths: Table, sizes: Table) -> Table:
    """The numbers of `sizes` bits behind codes of these lengths (F.2.2.1, EXTEND); nonsense where none fits."""
    raw = windows >> np.maximum(16 - lengths - sizes, 0) & (1 << sizes) - 1
    values: Table = np.where(raw < 1 << np.maximum(sizes - 1, 0), raw - (1 << sizes) + 1, raw) * (sizes > 0)
    return values
