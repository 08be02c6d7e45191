"""Tiles of 32 columns whose sums are whole numbers: of units that are a small part of a code.

A level is rounded to units of 2^-shift codes, once, and sums of 32 bits are then exact: twice as many of them
as of float64 fit a vector, the converter is a shift, and the order of additions does not matter.

Error of a sum, next to what ``Converter.convert`` makes of float64, in units: what the rounding of levels
takes or gives is added up for each column, and is n / 2 at most for n rows; the bias (zero, offset, and half
a step of rounding) is off by 1/2. Float64 numbers, here and there, are less than 2^30 units, and an operation
on them is off by 2^-53 of that, so by (n + 12) 2^-23 for the n additions of a sum and a dozen operations that
scale and convert it: by less than 1, as n < 2^22. A code can thus be another one only where an edge between
two codes is less than that column's loss + 2 away from the sum; such a sum is in doubt, and is added up and
converted again in float64. Whole levels are not rounded, nor are dyadic fractions, and with steps of a power
of two nothing is in doubt then: of exact cells every sum may be an edge. With other steps they may be edges
so often that the whole tile is left to float64.
"""

# Compiled code: the types are numba's, and integers are 64 bits wide whatever their names say.
# mypy: disable-error-code="no-any-return, assignment, call-arg"

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim.crossbar.adc import Converter, Float64
from archsim.crossbar.cells import Cells
from archsim.crossbar.steps import Steps, straight
from archsim.crossbar.vectors import (
    ENTRIES,
    FIXED_TILE,
    GROUPS,
    add_entries,
    add_fixed_codes,
    set_entries,
    subtract_entries,
    tabulate,
)
from archsim.crossbar.words import WORD_ROWS, UInt64, aligned, compiled, driven_rows, popcount

Int32 = NDArray[np.int32]
Float32 = NDArray[np.float32]

SUM_BITS = 30
"""Bits of the largest sum: a sign and a bit for its error are left of 32."""

DOUBTFUL_BITS = 8
"""Of sums that are spread evenly over a code, about one of 2^8 may be in doubt: else float64 is faster."""

FEW_READS, DOUBTFUL_READS = 8, 16
"""Of a block, 8 reads and a 16th of all may have sums in doubt: to settle all those of one read takes about
as long as to add up float64 for nine."""

TOO_MANY = -1

NONE, ONE, ALL, BEYOND = np.uint64(0), np.uint64(1), np.uint64(2**32 - 1), np.uint64(32)
"""Of marks: none, one column, all that may be in doubt; and above these those that saturated."""


class FixedSteps(NamedTuple):
    """A converter in fixed point.

    Args: scale: units a level; bias: units to be added to a sum; shift: a code is 2^shift units; exact:
        whether nothing but levels is rounded.
    """

    lowest: int
    highest: int
    scale: float
    bias: int
    shift: int
    exact: bool


class FixedScratch(NamedTuple):
    """Room for the work on a tile.

    Args: table: (GROUPS * ENTRIES * FIXED_TILE,); sums, codes: (reads * FIXED_TILE,); level: (FIXED_TILE,) of
        a row; marks: (reads,) which sums are in doubt, and which others saturated; lost: (FIXED_TILE,) by
        rounding the levels of a column; totals: (FIXED_TILE,) of a read in doubt.
    """

    table: Int32
    sums: Int32
    codes: Int32
    level: Int32
    marks: UInt64
    lost: Float64
    totals: Float64


def fixed_scratch(reads: int) -> FixedScratch:
    """Room for a tile and some reads."""
    table, each, row = (GROUPS * ENTRIES * FIXED_TILE,), (reads * FIXED_TILE,), (FIXED_TILE,)
    whole = (aligned(shape, np.int32) for shape in (table, each, each, row))
    real = (aligned(row, np.float64) for _ in range(2))
    return FixedScratch(*whole, aligned((reads,), np.uint64), *real)


def codes_fit(converter: Converter, cells: Cells) -> bool:
    """Whether 32 bits hold the codes of all slices and blocks, times what they count, added up."""
    largest = max(abs(converter.lowest), abs(converter.highest))
    return largest * cells.blocks * int(np.abs(cells.weight).sum()) < 2**31


def fixed_steps(converter: Converter, rows: int, largest: float) -> FixedSteps | None:
    """The finest fixed point in which sums of ``rows`` levels of at most ``largest`` fit; none where coarse.

    Args: converter: without INL; rows: of a block.
    """
    codes_per_level = (1 + converter.gain_error) / converter.step
    constant = 0.5 * converter.rounds + converter.offset_lsb
    ideal = (rows * largest + abs(converter.zero)) / converter.step  # more than the code, if gain is lost
    most = ideal * max(1.0, 1 + converter.gain_error) + abs(constant)
    if not math.isfinite(most):
        return None
    shift = min(SUM_BITS, SUM_BITS - math.frexp(most)[1])
    if shift < DOUBTFUL_BITS or rows > 1 << (shift - DOUBTFUL_BITS):
        return None
    unit = 2.0**-shift
    shares = [converter.zero / converter.step / unit, converter.offset_lsb / unit]
    plain = math.frexp(converter.step)[0] == 0.5 and converter.gain_error == 0  # a step of 2^k levels
    return FixedSteps(
        converter.lowest,
        converter.highest,
        codes_per_level / unit,
        round((constant - converter.zero * codes_per_level) / unit),
        shift,
        plain and all(share.is_integer() for share in shares),
    )


@compiled
def tabulate_levels(levels: Float32, rows: tuple[int, int], scale: float, scratch: FixedScratch) -> None:
    """Tabulate what four rows each of a word can add, in units, and add up what rounding takes or gives.

    Args: levels: (rows, FIXED_TILE) of one slice; rows: the first, and the one after the last.
    """
    table, level, lost = scratch.table, scratch.level, scratch.lost
    for group in range(GROUPS):
        base = group * ENTRIES * FIXED_TILE
        table[base : base + FIXED_TILE] = 0
        for bit in range(4):
            row, half = rows[0] + 4 * group + bit, FIXED_TILE << bit
            if row < rows[1]:
                for column in range(FIXED_TILE):
                    exact = levels[row, column] * scale
                    nearest = np.rint(exact)
                    level[column] = np.int32(nearest)
                    lost[column] += abs(nearest - exact)
            else:
                level[:] = 0
            for entry in range(base, base + half, FIXED_TILE):
                tabulate(table, entry + half, entry, level)


@compiled
def sum_error(fixed: FixedSteps, lost: Float64) -> int:
    """How far a sum, in units, can be from that of float64, with the bias: see above."""
    most = 0.0
    for column in range(FIXED_TILE):
        most = max(most, lost[column])
    return 0 if fixed.exact and most == 0.0 else math.ceil(most) + 2


@compiled
def settle(
    levels: Float32,
    words: UInt64,
    top: int,
    read: int,
    doubts: np.uint64,
    at: int,
    factor: Int32,
    steps: Steps,
    scratch: FixedScratch,
) -> int:
    """Add the codes of those sums of a read that are in doubt, in float64; returns how many saturated.

    Args: levels: (rows, FIXED_TILE) of a slice; words: (signs, words, batch * reads) of a block; top: its
        first row; doubts: bits of columns; at: where its codes are.
    """
    totals = scratch.totals
    totals[:] = 0.0
    for sign in range(words.shape[0]):
        for w in range(words.shape[1]):
            left = words[sign, w, read]
            while left != NONE:
                row = top + w * WORD_ROWS + popcount((left & (~left + ONE)) - ONE)
                left &= left - ONE
                for column in range(FIXED_TILE):
                    totals[column] += (1.0 - 2.0 * sign) * levels[row, column]
    saturated = 0
    for column in range(FIXED_TILE):
        if (doubts >> np.uint64(column)) & ONE:
            code = straight(totals[column], steps)
            kept = min(max(code, steps.lowest), steps.highest)
            scratch.codes[at + column] += factor[column] * np.int32(kept)
            saturated += kept != code
    return saturated


@compiled
def add_word(words: UInt64, first: int, begins: bool, scratch: FixedScratch) -> None:
    """Add a word that is not the last one of its block to the sums, or begin them with it.

    Args: words: (signs, batch * reads).
    """
    for i in range(len(scratch.marks)):
        at = i * FIXED_TILE
        if begins:
            set_entries(scratch.sums, at, scratch.table, words[0, first + i])
        else:
            add_entries(scratch.sums, at, scratch.table, words[0, first + i])
        if len(words) > 1:
            subtract_entries(scratch.sums, at, scratch.table, words[1, first + i])


@compiled
def add_last_word(
    words: UInt64,
    first: int,
    factor: Int32,
    skips: bool,
    fixed: FixedSteps,
    error: int,
    scratch: FixedScratch,
) -> None:
    """Add the last word of a block to its sums, and convert these: the loop that counts.

    Args: words: (signs, words, batch * reads) of a block; first: read; factor: (FIXED_TILE,); error: of a
        sum, in units.
    """
    signs, height, _ = words.shape
    stop = first + len(scratch.marks)
    least, most, bias = fixed.lowest, fixed.highest, fixed.bias + error
    positive, negative = words[0, height - 1, first:stop], words[signs - 1, height - 1, first:stop]
    for i in range(len(scratch.marks)):
        at = i * FIXED_TILE
        # the only word of a block needs a place for one read, which stays in the first-level cache
        of_sums = at if height > 1 else 0
        if height > 1:
            add_entries(scratch.sums, of_sums, scratch.table, positive[i])
        else:
            set_entries(scratch.sums, of_sums, scratch.table, positive[i])
        if signs > 1:
            subtract_entries(scratch.sums, of_sums, scratch.table, negative[i])
        if skips and not driven_rows(words, first + i):
            scratch.marks[i] = NONE
            continue
        scratch.marks[i] = add_fixed_codes(
            scratch.codes, at, scratch.sums, of_sums, factor, least, most, bias, fixed.shift, 2 * error
        )


@compiled
def settle_block(
    levels: Float32,
    words: UInt64,
    top: int,
    first: int,
    columns: int,
    factor: Int32,
    steps: Steps,
    scratch: FixedScratch,
) -> int:
    """Convert the sums of a block that are in doubt.

    Returns: how many of all its conversions saturated; TOO_MANY where float64 had better add up all of them.
    """
    there = ALL >> np.uint64(FIXED_TILE - columns)
    doubtful, saturated = 0, 0
    for i in range(len(scratch.marks)):
        doubtful += (scratch.marks[i] & there) != NONE
    if doubtful > FEW_READS + len(scratch.marks) // DOUBTFUL_READS:
        return TOO_MANY
    for i in range(len(scratch.marks)):
        marks = scratch.marks[i]
        if marks != NONE:
            saturated += popcount((marks >> BEYOND) & there)
            if marks & there:
                at = i * FIXED_TILE
                saturated += settle(levels, words, top, first + i, marks & there, at, factor, steps, scratch)
    return saturated


@compiled
def fixed_tile_kernel(
    levels: Float32,
    block_rows: int,
    words: UInt64,
    first: int,
    columns: int,
    factor: Int32,
    skips: bool,
    fixed: FixedSteps,
    steps: Steps,
    scratch: FixedScratch,
) -> int:
    """Add up the codes of a tile in ``scratch.codes``.

    Returns: how many conversions saturated; TOO_MANY, and no codes, where too many sums are in doubt.
    Args: levels: (slices, rows, FIXED_TILE); words: (signs, blocks, words, batch * reads); first: read;
        columns: of the tile that there are; factor: (slices, blocks, FIXED_TILE) what a code counts; skips:
        whether blocks without driven wordlines are not converted.
    """
    slices, rows, _ = levels.shape
    blocks, height = words.shape[1:3]
    saturated = 0
    for s in range(slices):
        for block in range(blocks):
            top, bottom = block * block_rows, min(rows, (block + 1) * block_rows)
            scratch.lost[:] = 0.0
            for w in range(height):
                tabulate_levels(levels[s], (top + w * WORD_ROWS, bottom), fixed.scale, scratch)
                if w + 1 < height:
                    add_word(words[:, block, w], first, w == 0, scratch)
            error, of_block, counts = sum_error(fixed, scratch.lost), words[:, block], factor[s, block]
            add_last_word(of_block, first, counts, skips, fixed, error, scratch)
            beyond = settle_block(levels[s], of_block, top, first, columns, counts, steps, scratch)
            if beyond == TOO_MANY:
                return TOO_MANY
            saturated += beyond
    return saturated
