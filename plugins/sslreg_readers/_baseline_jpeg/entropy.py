"""Reads the wanted coefficients from entropy-coded data (ITU-T T.81, annex F.2.2); compiled by numba.

Most of the time goes into coefficients that are not wanted: every code has to be read to know where the next one
begins. Where no coefficient is wanted, a table skips several codes at once.

Memory safety: numba checks no index. A comment at each access states why it is in bounds for any file. With
NUMBA_BOUNDSCHECK=1, numba and `_load_8_bytes` check each index; tests decode damaged files in this mode.
"""

from __future__ import annotations

from typing import Any

import numba
from llvmlite import ir
from numba.core import config, types
from numba.extending import intrinsic
from numpy.typing import NDArray

import sslreg

# Types that are called as functions, and numbers of these types. Most are unsigned: they are bits to shift, or
# positions in memory, which are computed faster if they cannot be negative.
uint64: Any = numba.uint64
int64: Any = numba.int64
Bits = Any

# numba's cache notices changes of one file only, so this file holds all that is compiled into an entry point.
_compiled = numba.njit(nogil=True, error_model="numpy", forceinline=True)

#: The number of bits that index a table; tables of 2**12 numbers would not fit a first-level cache.
WINDOW = 11

#: The advance that stands for the end of a block: behind all coefficients, and further than any run leads.
END_OF_BLOCK = 128

#: The number of zero bytes that follow the data. Whether the data have ended is checked once per MCU. In between, an
#: MCU, which has at most 10 blocks (B.2.3) of 64 codes, consumes at most 31 bits per code: 16 for the code, 15 for its
#: value. Another 8 bytes are loaded ahead.
MARGIN = 10 * 64 * 4 + 8

#: The elements of `state`: the position of the next 8 bytes to load, the bits that are loaded and not used, their
#: number, the number of MCUs before the next restart marker, the segment's number, and the last DC coefficients.
POSITION, BITS, COUNT, UNTIL_RESTART, SEGMENT, PREDICTIONS = range(6)
STATE_SIZE = PREDICTIONS + 3

#: Where a component's tables begin, and their total size.
_DIFFERENCES, _COEFFICIENTS, _SKIPS = 0, 1 << WINDOW, 2 << WINDOW
_DC_CODES, _AC_CODES = 3 << WINDOW, (3 << WINDOW) + (1 << 16)
TABLES = (3 << WINDOW) + (2 << 16)

#: Stands for an invalid code instead of a difference of DC coefficients.
_INVALID = 1 << 20

_RESTART, _END_OF_IMAGE = 0xD0, 0xD9
_ONES, _TOPS = uint64(0x0101010101010101), uint64(0x8080808080808080)
_INDEX, _ALL_BITS = uint64(64 - WINDOW), uint64(64)


@sslreg.cache_kernel
@numba.njit(nogil=True, error_model="numpy")
def remove_stuffing(data: NDArray[Any], start: int, out: NDArray[Any], ends: NDArray[Any]) -> int:
    """Copy entropy-coded data without the zeros stuffed behind 0xFF and without markers (B.1.1.5, F.1.2.3).

    Args:
        data: uint8, the file.
        start: Where the data begin, at most len(data).
        out: uint8, at least 8 longer than the file.
        ends: int64, filled with the end in `out` of each segment between restart markers.

    Returns:
        The number of segments; 0 if that is not len(ends), if the markers are not numbered in turn, or if anything but
        the end of the image comes last.
    """
    # target <= source in each iteration, since no branch moves it further: `out` is long enough for all writes.
    source, target, segment = start, 0, 0
    while source + 1 < len(data):
        if source + 8 <= len(data):
            eight = _load_8_bytes(data, source)
            if not eight & ~(eight + _ONES) & _TOPS:
                _store_8_bytes(out, target, eight)
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


@sslreg.cache_kernel
@numba.njit(nogil=True, error_model="numpy")
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
    """Read rows of MCUs (A.2.3), as many as `wanted` has.

    Args:
        data: The result of `remove_stuffing`, followed by MARGIN zeros.
        ends: The ends of its segments.
        state: int64 (STATE_SIZE,), where the last call stopped.
        restart_interval: In MCUs, 0 without restart markers.
        blocks: int64 (B, 5), for each block of an MCU: its component; its row of `coefficients` in the first row of
            MCUs; the number of such rows and, in one MCU, of columns that its component has; its column there.
        tables: int32 (components * TABLES,), `huffman.tables` of each component.
        wanted: int64 (rows of MCUs, MCUs, components), the last wanted coefficient in zigzag order, -1 for none.
        order: int64 (64,), the position in a block, 0 to 63, of each coefficient in zigzag order.
        sizes: int64 (components, 2), the rows and columns of the lowest frequencies, at most 8, that have to be right,
            zeros included.
        coefficients: int16 (rows, 64, blocks), filled with the result. `blocks`, whose values depend on the sampling
            alone, has no row or column beyond it for any MCU of `wanted`.

    Returns:
        False if the data are broken.
    """
    stride = coefficients.shape[2]
    flat = coefficients.reshape(-1)
    for n in range(len(blocks)):
        component, row, rows = blocks[n, 0], blocks[n, 1], blocks[n, 2]
        for y in range(len(wanted)):
            _clear(coefficients[row + rows * y], sizes[component, 0], sizes[component, 1])
    position, bits, count = _refill(data, state[POSITION], uint64(state[BITS]), uint64(state[COUNT]))
    mcus, segment = state[UNTIL_RESTART], state[SEGMENT]
    predictions = state[PREDICTIONS:]
    for y in range(len(wanted)):
        for mcu in range(wanted.shape[1]):
            if restart_interval and mcus == 0:
                # Tested first, so that `segment` stays below len(ends) everywhere.
                if segment + 1 >= len(ends) or position - int64(count >> uint64(3)) != ends[segment]:
                    return False
                position, bits, count = _refill(data, ends[segment], uint64(0), uint64(0))
                mcus, segment = restart_interval, segment + 1
                predictions[:] = 0
            mcus -= 1
            lasts = wanted[y, mcu]
            for n in range(len(blocks)):
                component = uint64(blocks[n, 0])
                position, bits, count, difference = _read_difference(data, position, bits, count, tables, component)
                if difference == _INVALID:
                    return False
                # `state` has room for 3 components, and there are 1 or 3.
                predictions[component] += difference
                k, last = 0, lasts[component]
                if last >= 0:
                    row, column = blocks[n, 1] + blocks[n, 2] * y, blocks[n, 3] * mcu + blocks[n, 4]
                    # row < coefficients.shape[0] and column < stride by `blocks`: start + 63 * stride is in bounds.
                    start = uint64(row * (64 * stride) + column)
                    flat[start] = predictions[component]
                    position, bits, count, k = _read_coefficients(
                        data, position, bits, count, tables, component, last, order, flat, start, uint64(stride)
                    )
                position, bits, count, k = _skip_coefficients(data, position, bits, count, tables, component, k)
                # A block ends behind its last coefficient or by its code (F.1.2.2); an invalid code leads to less.
                if k != 63 and k < END_OF_BLOCK:
                    return False
            # Once per MCU: until then, positions are at most MARGIN - 8 beyond the end.
            if position - int64(count >> uint64(3)) > ends[segment]:
                return False
    state[POSITION], state[BITS], state[COUNT] = position, int64(bits), int64(count)
    state[UNTIL_RESTART], state[SEGMENT] = mcus, segment
    return True


@_compiled
def _clear(row: NDArray[Any], height: int, width: int) -> None:
    """Set the lowest frequencies of a row of blocks (64, blocks) to zero; height and width are at most 8."""
    for u in range(height):
        for v in range(width):
            row[8 * u + v] = 0


@_compiled
def _table_start(component: Bits, which: int) -> Bits:
    """Return where a table of a component starts. An index into it is WINDOW or 16 bits, so it stays in the table."""
    return component * uint64(TABLES) + uint64(which)


# The functions below pass the reader's position by value, so that it stays in registers. `bits` are the next bits, from
# the highest on; `count` of them are known. The bits below may be set as well, to the values that they will have.


@_compiled
def _refill(data: NDArray[Any], position: int, bits: Bits, count: Bits) -> tuple[int, Bits, Bits]:
    """Load at least 56 bits: more than a code, its value (31 in all), and the index of the next table entry (16).

    It is called after a table lookup, so that the processor loads the data and the entry at the same time.
    """
    # position <= ends[segment] + MARGIN - 8, see MARGIN; that many zeros follow the last segment.
    bits |= _swap_bytes(_load_8_bytes(data, position)) >> count
    position += int64((uint64(63) - count) >> uint64(3))
    return position, bits, count | uint64(56)


@_compiled
def _read_difference(
    data: NDArray[Any], position: int, bits: Bits, count: Bits, tables: NDArray[Any], component: Bits
) -> tuple[int, Bits, Bits, int]:
    """Read the difference of a block's DC coefficient from the last one (F.2.2.1)."""
    entry = tables[_table_start(component, _DIFFERENCES) + (bits >> _INDEX)]
    position, bits, count = _refill(data, position, bits, count)
    if entry != 0:
        used = uint64(entry & 63)
        return position, bits << used, count - used, entry >> 8
    entry = tables[_table_start(component, _DC_CODES) + (bits >> uint64(48))]
    if entry == 0:
        return position, bits, count, _INVALID
    bits, count, number = _read_value(bits, count, uint64(entry >> 8), uint64(entry & 15))
    return position, bits, count, number


@_compiled
def _read_value(bits: Bits, count: Bits, length: Bits, size: Bits) -> tuple[Bits, Bits, int]:
    """Read the value of `size` bits behind a code of `length` bits (F.2.2.1, RECEIVE and EXTEND)."""
    bits <<= length
    number = int64((bits >> uint64(1)) >> (uint64(63) - size))
    if size and number < 1 << (size - uint64(1)):
        number -= int64((uint64(1) << size) - uint64(1))
    return bits << size, count - length - size, number


@_compiled
def _read_coefficients(
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
    """Read AC coefficients at least up to number `last`.

    Returns:
        The position, the bits and their count, and the number of the last coefficient that was read. The end of a block
        adds END_OF_BLOCK to it.
    """
    k = 0
    table, full = _table_start(component, _COEFFICIENTS), _table_start(component, _AC_CODES)
    while k < last:
        entry = tables[table + (bits >> _INDEX)]
        position, bits, count = _refill(data, position, bits, count)
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
            bits, count, number = _read_value(bits, count, uint64(entry >> 8), uint64(entry & 15))
            k += END_OF_BLOCK if entry & 0xFF == 0 else (entry >> 4 & 15) + 1
        if k > 63:
            break
        # 1 <= k <= 63 and 0 <= order[k] <= 63.
        flat[start + stride * uint64(order[k])] = number
    return position, bits, count, k


@_compiled
def _skip_coefficients(
    data: NDArray[Any], position: int, bits: Bits, count: Bits, tables: NDArray[Any], component: Bits, k: int
) -> tuple[int, Bits, Bits, int]:
    """Skip the AC coefficients behind the k-th; return the same as `_read_coefficients` at the end of a block."""
    table, full = _table_start(component, _SKIPS), _table_start(component, _AC_CODES)
    while k < 63:
        entry = tables[table + (bits >> _INDEX)]
        position, bits, count = _refill(data, position, bits, count)
        beyond = k + (entry >> 8)
        if beyond <= 63 or END_OF_BLOCK <= beyond < END_OF_BLOCK + 63:
            used = uint64(entry & 63)
        else:
            # The codes in the window lead beyond this block, or the first of them is longer than the window.
            entry = tables[full + (bits >> uint64(48))]
            if entry == 0:
                return position, bits, count, 64
            beyond = k + (END_OF_BLOCK if entry & 0xFF == 0 else (entry >> 4 & 15) + 1)
            used = uint64((entry >> 8) + (entry & 15))
        bits <<= used
        count -= used
        k = beyond
    return position, bits, count, k


# Indexing bytes one by one would take most of the time; these are one instruction each. They check no bounds; callers
# state why 8 bytes from `at` on are in the array.


def _emit_load(context: Any, array: Any, at: Any) -> Any:
    """Return ``array[at : at + 8]``, uint8, as a number whose lowest byte is the first."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.load(_emit_address(context, builder, signature, values), align=1)

    return types.uint64(array, types.intp), emit


def _emit_store(context: Any, array: Any, at: Any, number: Any) -> Any:
    """Write such a number to ``array[at : at + 8]``."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        builder.store(values[2], _emit_address(context, builder, signature, values), align=1)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.uint64), emit


def _emit_swap(context: Any, number: Any) -> Any:
    """Return a number with its bytes reversed."""
    return types.uint64(types.uint64), lambda context, builder, signature, values: builder.bswap(values[0])


def _emit_address(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    start = context.make_array(signature.args[0])(context, builder, values[0]).data
    return builder.bitcast(builder.gep(start, [values[1]]), ir.IntType(64).as_pointer())


_swap_bytes: Any = intrinsic(_emit_swap)
_load_unchecked: Any = intrinsic(_emit_load)
_store_unchecked: Any = intrinsic(_emit_store)


@_compiled
def _load_checked(array: NDArray[Any], at: int) -> Bits:
    if at < 0 or at + 8 > len(array):
        raise IndexError("a load outside of the array")
    return _load_unchecked(array, at)


@_compiled
def _store_checked(array: NDArray[Any], at: int, number: Bits) -> None:
    if at < 0 or at + 8 > len(array):
        raise IndexError("a store outside of the array")
    _store_unchecked(array, at, number)


# numba sets the variables of this module while it is imported, so type checkers do not know them.
_BOUNDS_ARE_CHECKED = bool(vars(config)["BOUNDSCHECK"])
_load_8_bytes: Any = _load_checked if _BOUNDS_ARE_CHECKED else _load_unchecked
_store_8_bytes: Any = _store_checked if _BOUNDS_ARE_CHECKED else _store_unchecked
