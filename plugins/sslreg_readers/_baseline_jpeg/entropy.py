"""Reading entropy-coded data (ITU-T T.81, annex F.2.2), of which only some coefficients are wanted; compiled by numba.

Most time goes into what no one will see: every code has to be read to know where the next one begins. So where
coefficients are not wanted a table swallows several codes at once.
"""

from __future__ import annotations

from typing import Any

import numba
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

# Types that are called as functions, and numbers of such types. Most have no sign: they are bits to be shifted, or
# places in memory, which are found sooner where they cannot be negative.
uint64: Any = numba.uint64
int64: Any = numba.int64
Bits = Any

# What is kept on disk is stale once its file changes: so all that is compiled into an entry point is in this file.
_compiled = numba.njit(nogil=True, error_model="numpy", forceinline=True)
_entry_point = numba.njit(nogil=True, error_model="numpy", cache=True)

#: How many bits the tables look at; those of 2**12 numbers would crowd a first-level cache.
WINDOW = 11

#: By how many coefficients the end of a block advances: to behind all of them, and to where no run leads.
END_OF_BLOCK = 128

#: How many zeros have to follow the data: what the blocks of a MCU take, at most, before it is seen that they end.
MARGIN = 10 * 64 * 4 + 8

#: What `state` holds: where the next 8 bytes to look at begin, the bits that were looked at and not used, their number,
#: how many MCUs come before the next restart marker, the segment's number, and the DC coefficients before.
POSITION, BITS, COUNT, UNTIL_RESTART, SEGMENT, PREDICTIONS = range(6)
STATE_SIZE = PREDICTIONS + 3

#: Where a component's tables begin, one behind the other, and how large they are together.
_DIFFERENCES, _COEFFICIENTS, _SKIPS = 0, 1 << WINDOW, 2 << WINDOW
_DC_CODES, _AC_CODES = 3 << WINDOW, (3 << WINDOW) + (1 << 16)
TABLES = (3 << WINDOW) + (2 << 16)

#: No difference of DC coefficients.
_INVALID = 1 << 20

_RESTART, _END_OF_IMAGE = 0xD0, 0xD9
_ONES, _TOPS = uint64(0x0101010101010101), uint64(0x8080808080808080)
_INDEX, _ALL_BITS = uint64(64 - WINDOW), uint64(64)


@_entry_point
def collect(data: NDArray[Any], start: int, out: NDArray[Any], ends: NDArray[Any]) -> int:
    """Copy entropy-coded data without the zeros stuffed behind 0xFF and without markers (B.1.1.5, F.1.2.3).

    data: uint8, the file. start: where they begin. out: uint8, of the file's length at least. ends: int64, where each
    of the segments between restart markers ends in `out`. Returned is the number of segments, 0 if that is not
    len(ends), if the markers are not numbered in turn, or if anything else than the end of the image comes last.
    """
    source, target, segment = start, 0, 0
    while source + 1 < len(data):
        if source + 8 <= len(data):
            eight = _eight_bytes(data, source)
            if not eight & ~(eight + _ONES) & _TOPS:
                _put_eight_bytes(out, target, eight)
                source += 8
                target += 8
                continue
        byte, follows = data[source], data[source + 1]
        if byte != 0xFF or follows == 0:
            out[target] = byte
            source += 1 if byte != 0xFF else 2
            target += 1
            continue
        if segment == len(ends):
            return 0
        ends[segment] = target
        segment += 1
        if follows == _END_OF_IMAGE:
            return segment if segment == len(ends) else 0
        if follows != _RESTART + (segment - 1) % 8:
            return 0
        source += 2
    return 0


@_entry_point
def read_mcu_rows(
    data: NDArray[Any],
    ends: NDArray[Any],
    state: NDArray[Any],
    restart_interval: int,
    blocks: NDArray[Any],
    tables: NDArray[Any],
    wanted: NDArray[Any],
    order: NDArray[Any],
    sizes: NDArray[Any],
    coefficients: NDArray[Any],
) -> bool:
    """Read rows of MCUs (A.2.3), as many as `wanted` has. False: the data are broken.

    data, ends: what `collect` gave, with MARGIN zeros behind. state: int64 (STATE_SIZE,), for the next rows.
    blocks: int64 (B, 5), of each block of a MCU its component; the row of `coefficients` that it belongs to in the
        first row of MCUs; how many such rows and, in one MCU, how many columns its component has; its column there.
    tables: int32 (components * TABLES,), `huffman.tables` of each.
    wanted: int64 (rows of MCUs, MCUs, components), up to which coefficient in zigzag order they are wanted; -1: none.
    order: int64 (64,), where in a block a coefficient is.
    sizes: int64 (components, 2), how many rows and columns of the lowest frequencies are to be right, zeros included.
    coefficients: int16 (rows, 64, blocks), into which they are written.
    """
    stride = coefficients.shape[2]
    flat = coefficients.reshape(-1)
    for n in range(len(blocks)):
        component, row, rows = blocks[n, 0], blocks[n, 1], blocks[n, 2]
        for y in range(len(wanted)):
            _clear(coefficients[row + rows * y], sizes[component, 0], sizes[component, 1])
    position, bits, count = _filled(data, state[POSITION], uint64(state[BITS]), uint64(state[COUNT]))
    mcus, segment = state[UNTIL_RESTART], state[SEGMENT]
    predictions = state[PREDICTIONS:]
    for y in range(len(wanted)):
        for mcu in range(wanted.shape[1]):
            if restart_interval and mcus == 0:
                if position - int64(count >> uint64(3)) != ends[segment] or segment + 1 >= len(ends):
                    return False
                position, bits, count = _filled(data, ends[segment], uint64(0), uint64(0))
                mcus, segment = restart_interval, segment + 1
                predictions[:] = 0
            mcus -= 1
            lasts = wanted[y, mcu]
            for n in range(len(blocks)):
                component = uint64(blocks[n, 0])
                position, bits, count, difference = _difference(data, position, bits, count, tables, component)
                if difference == _INVALID:
                    return False
                predictions[component] += difference
                k, last = 0, lasts[component]
                if last >= 0:
                    row, column = blocks[n, 1] + blocks[n, 2] * y, blocks[n, 3] * mcu + blocks[n, 4]
                    start = uint64(row * (64 * stride) + column)
                    flat[start] = predictions[component]
                    position, bits, count, k = _read(
                        data, position, bits, count, tables, component, last, order, flat, start, uint64(stride)
                    )
                position, bits, count, k = _skip(data, position, bits, count, tables, component, k)
                # A block ends behind its last coefficient or by its code (F.1.2.2); an invalid code leads to less.
                if k != 63 and k < END_OF_BLOCK:
                    return False
            if position - int64(count >> uint64(3)) > ends[segment]:
                return False
    state[POSITION], state[BITS], state[COUNT] = position, int64(bits), int64(count)
    state[UNTIL_RESTART], state[SEGMENT] = mcus, segment
    return True


@_compiled
def _clear(row: NDArray[Any], height: int, width: int) -> None:
    for u in range(height):
        for v in range(width):
            row[8 * u + v] = 0


@_compiled
def _place(component: Bits, which: int) -> Bits:
    return component * uint64(TABLES) + uint64(which)


# What follows passes the reader's position on by value, so that it stays in registers: `bits` are the next ones, from
# the highest on; `count` is how many of them are known, and what is below may be set as well, as it will be again.


@_compiled
def _filled(data: NDArray[Any], position: int, bits: Bits, count: Bits) -> tuple[int, Bits, Bits]:
    """At least 56 bits, which is more than a code, its number, and what the next entry of a table is found by.

    It is called after a table was asked, so that the processor loads the data and the entry at the same time.
    """
    bits |= _swapped(_eight_bytes(data, position)) >> count
    position += int64((uint64(63) - count) >> uint64(3))
    return position, bits, count | uint64(56)


@_compiled
def _difference(
    data: NDArray[Any], position: int, bits: Bits, count: Bits, tables: NDArray[Any], component: Bits
) -> tuple[int, Bits, Bits, int]:
    """By how much a block's DC coefficient differs from the last one's (F.2.2.1)."""
    entry = tables[_place(component, _DIFFERENCES) + (bits >> _INDEX)]
    position, bits, count = _filled(data, position, bits, count)
    if entry != 0:
        used = uint64(entry & 63)
        return position, bits << used, count - used, entry >> 8
    entry = tables[_place(component, _DC_CODES) + (bits >> uint64(48))]
    if entry == 0:
        return position, bits, count, _INVALID
    bits, count, number = _number(bits, count, uint64(entry >> 8), uint64(entry & 15))
    return position, bits, count, number


@_compiled
def _number(bits: Bits, count: Bits, length: Bits, size: Bits) -> tuple[Bits, Bits, int]:
    """The number of `size` bits behind a code of `length` bits (F.2.2.1, RECEIVE and EXTEND)."""
    bits <<= length
    number = int64((bits >> uint64(1)) >> (uint64(63) - size))
    if size and number < 1 << (size - uint64(1)):
        number -= int64((uint64(1) << size) - uint64(1))
    return bits << size, count - length - size, number


@_compiled
def _read(
    data: NDArray[Any],
    position: int,
    bits: Bits,
    count: Bits,
    tables: NDArray[Any],
    component: Bits,
    last: int,
    order: NDArray[Any],
    flat: NDArray[Any],
    start: Bits,
    stride: Bits,
) -> tuple[int, Bits, Bits, int]:
    """Read AC coefficients up to the one numbered `last`, at least. Returned is the number of the last one read.

    The end of a block adds END_OF_BLOCK to it.
    """
    k = 0
    table, full = _place(component, _COEFFICIENTS), _place(component, _AC_CODES)
    while k < last:
        entry = tables[table + (bits >> _INDEX)]
        position, bits, count = _filled(data, position, bits, count)
        if entry != 0:
            used = uint64(entry & 63)
            bits <<= used
            count -= used
            k += entry >> 8 & 0xFF
            number = entry >> 16
        else:
            entry = tables[full + (bits >> uint64(48))]
            if entry == 0:
                return position, bits, count, 64
            bits, count, number = _number(bits, count, uint64(entry >> 8), uint64(entry & 15))
            k += END_OF_BLOCK if entry & 0xFF == 0 else (entry >> 4 & 15) + 1
        if k > 63:
            break
        flat[start + stride * uint64(order[k])] = number
    return position, bits, count, k


@_compiled
def _skip(
    data: NDArray[Any], position: int, bits: Bits, count: Bits, tables: NDArray[Any], component: Bits, k: int
) -> tuple[int, Bits, Bits, int]:
    """Pass over the AC coefficients behind the k-th, and return what `_read` does at the end of a block."""
    table, full = _place(component, _SKIPS), _place(component, _AC_CODES)
    while k < 63:
        entry = tables[table + (bits >> _INDEX)]
        position, bits, count = _filled(data, position, bits, count)
        beyond = k + (entry >> 8)
        if beyond <= 63 or END_OF_BLOCK <= beyond < END_OF_BLOCK + 63:
            used = uint64(entry & 63)
        else:
            # The codes in the window lead beyond this block, or its first does not end in it.
            entry = tables[full + (bits >> uint64(48))]
            if entry == 0:
                return position, bits, count, 64
            beyond = k + (END_OF_BLOCK if entry & 0xFF == 0 else (entry >> 4 & 15) + 1)
            used = uint64((entry >> 8) + (entry & 15))
        bits <<= used
        count -= used
        k = beyond
    return position, bits, count, k


# Indexing bytes one by one would be most of the work; these are one instruction each. Nothing is checked.


def _load(context: Any, array: Any, at: Any) -> Any:
    """``array[at:][:8]``, uint8, as a number, the first byte lowest."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.load(_address(context, builder, signature, values), align=1)

    return types.uint64(array, types.intp), emit


def _store(context: Any, array: Any, at: Any, number: Any) -> Any:
    """Write such a number to ``array[at:][:8]``."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        builder.store(values[2], _address(context, builder, signature, values), align=1)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.uint64), emit


def _swap(context: Any, number: Any) -> Any:
    """A number's bytes in reverse."""
    return types.uint64(types.uint64), lambda context, builder, signature, values: builder.bswap(values[0])


def _address(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    start = context.make_array(signature.args[0])(context, builder, values[0]).data
    return builder.bitcast(builder.gep(start, [values[1]]), ir.IntType(64).as_pointer())


_eight_bytes: Any = intrinsic(_load)
_put_eight_bytes: Any = intrinsic(_store)
_swapped: Any = intrinsic(_swap)
