"""Lookup tables for Huffman codes (ITU-T T.81, annexes C and F.2.2), each indexed by the next bits of the data."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sslreg_readers._baseline_jpeg.entropy import END_OF_BLOCK, WINDOW
from sslreg_readers._baseline_jpeg.markers import UnsupportedError

Table = NDArray[np.integer[Any]]


#: The largest number of bits of a DC difference in a baseline file (table F.1).
_LARGEST_DIFFERENCE = 11


@lru_cache(maxsize=64)
def tables(dc: bytes, ac: bytes) -> Table:
    """Return all lookup tables of a component: int32 (TABLES,).

    Args:
        dc: The number of codes of each length from 1 to 16, then their symbols (C.2).
        ac: The same for AC coefficients.

    Raises:
        UnsupportedError: They are not those of a baseline file.
    """
    dc_codes, ac_codes = _expand_codes(dc), _expand_codes(ac)
    if (dc_codes & 0xFF > _LARGEST_DIFFERENCE).any():
        raise UnsupportedError("a Huffman table has differences that baseline files do not have")
    # Runs without a value behind them are for progressive files, except the end of a block and 16 zeros.
    ac_codes[(ac_codes & 15 == 0) & (ac_codes & 0xFF != 0) & (ac_codes & 0xFF != 0xF0)] = 0
    parts = (_build_differences(dc_codes), _build_coefficients(ac_codes), _build_skips(ac_codes), dc_codes, ac_codes)
    joined = np.concatenate(parts).astype(np.int32)
    joined.flags.writeable = False
    return joined


def _expand_codes(table: bytes) -> Table:
    """Return ``length << 8 | symbol`` of the code that each 16 bits begin with, 0 for none: (65536,)."""
    counts, symbols = np.frombuffer(table[:16], np.uint8), np.frombuffer(table[16:], np.uint8)
    lengths = np.repeat(np.arange(1, 17), counts)
    shares = 1 << (16 - lengths)
    if shares.sum() >= 1 << 16:
        raise UnsupportedError("a Huffman table has more codes than there can be, since none is of ones alone")
    entries = np.repeat(lengths << 8 | symbols, shares)
    return np.pad(entries, (0, (1 << 16) - len(entries)))


def _build_differences(full: Table) -> Table:
    """Return ``difference << 8 | bits`` of the DC coefficient in each WINDOW bits, 0 if they hold none."""
    lengths, sizes, windows = _first_codes(full)
    values = _extend(windows, lengths, sizes)
    fits = (lengths > 0) & (lengths + sizes <= WINDOW)
    return np.where(fits, values << 8 | lengths + sizes, 0)


def _build_coefficients(full: Table) -> Table:
    """Return ``value << 16 | advance << 8 | bits`` of the AC coefficient in each WINDOW bits, 0 if they hold none.

    The advance is the distance to the last coefficient, 1 to 16, or END_OF_BLOCK.
    """
    lengths, symbols, windows = _first_codes(full)
    sizes = symbols & 15
    values = _extend(windows, lengths, sizes)
    advances = np.where(symbols == 0, END_OF_BLOCK, (symbols >> 4) + 1)
    fits = (lengths > 0) & (lengths + sizes <= WINDOW)
    return np.where(fits, values << 16 | advances << 8 | lengths + sizes, 0)


def _build_skips(full: Table) -> Table:
    """Return ``advance << 8 | bits`` of all AC coefficients whose codes lie in each WINDOW bits.

    The advance is the sum of theirs, at least 1; 64, which is beyond any block, if there is no code. The value of the
    last one, which is skipped too, may reach beyond the window.
    """
    windows = np.arange(1 << WINDOW) << (16 - WINDOW)
    bits, advances = np.zeros_like(windows), np.zeros_like(windows)
    active = np.ones(len(windows), bool)
    while active.any():
        entries = full[(windows << np.minimum(bits, 16)) & 0xFFFF]
        lengths, symbols = entries >> 8, entries & 0xFF
        active &= (lengths > 0) & (bits + lengths <= WINDOW) & (advances < END_OF_BLOCK)
        bits += np.where(active, lengths + (symbols & 15), 0)
        advances += np.where(active, np.where(symbols == 0, END_OF_BLOCK, (symbols >> 4) + 1), 0)
    return np.where(bits == 0, 64, advances) << 8 | bits


def _first_codes(full: Table) -> tuple[Table, Table, Table]:
    """Return each window's first code as length and symbol, and the window itself, padded with zeros to 16 bits."""
    windows = np.arange(1 << WINDOW) << (16 - WINDOW)
    return full[windows] >> 8, full[windows] & 0xFF, windows


def _extend(windows: Table, lengths: Table, sizes: Table) -> Table:
    """Return the values of `sizes` bits behind codes of these lengths (F.2.2.1, EXTEND); undefined if none fits."""
    raw = windows >> np.maximum(16 - lengths - sizes, 0) & (1 << sizes) - 1
    values: Table = np.where(raw < 1 << np.maximum(sizes - 1, 0), raw - (1 << sizes) + 1, raw) * (sizes > 0)
    return values
