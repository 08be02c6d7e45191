"""Products of exact cells: 64 rows in a word, AND and popcount, the converter behind them.

A tile is 64 neighbouring columns, so that all rows of a slice stay in the first-level cache; the loop over
its columns is the innermost, and becomes vector instructions. Where arrays have at most 64 rows and nothing
is complemented, a unit-step converter that starts at 0 is part of that loop. Everything else, wordlines of
both signs, higher arrays and converters with errors, takes one sum after the other: through a line in whole
numbers where one gives the converter's codes for all sums that can be, through a table of them elsewhere.
``benchmarks/crossbar.py`` measures both.
"""

# Compiled code: the types are numba's, and integers are 64 bits wide whatever their names say.
# mypy: disable-error-code="no-any-return, assignment, call-arg"

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim.crossbar.adc import Converter
from archsim.crossbar.cells import Cells
from archsim.crossbar.coding import Int64, Planes
from archsim.crossbar.digital import values_of_codes
from archsim.crossbar.words import (
    WORD_ROWS,
    UInt64,
    aligned,
    block_words,
    compiled,
    popcount,
    spread,
    threads,
    words_of_reads,
)

Job = Callable[[int, int, int], int]
"""Takes a tile, its first vector and the one after its last; returns how many conversions saturated."""

TILE = 64
"""Columns of a tile."""

UNROLLED = 8
"""Blocks whose converted sums are added up before they are weighted."""

LINE_BITS = 40
"""Bits behind the point of a converter's slope, enough for sums of 65536 rows."""

JOB_CONVERSIONS = 1 << 22
"""Conversions, a fifth of a millisecond, for which another thread is worth while."""


class Line(NamedTuple):
    """A converter as code = (sum * slope + start) >> shift, kept within lowest to highest.

    Args: straight: whether it is one: otherwise its codes stand in a table.
    """

    straight: bool
    slope: int
    start: int
    shift: int
    lowest: int
    highest: int


def packed_product(
    planes: Planes, cells: Cells, converter: Converter, packed: UInt64 | None = None
) -> tuple[NDArray[Any], int]:
    """The product of a batch with exact cells, without the correction for offset-coded weights.

    Args: planes: the accesses of the batch; cells: of which the conductances are not looked at;
        packed: their ``packed_levels``, where these are used again and again.
    Returns: (batch, columns) int64 where the converter is exact and code 0 is the sum 0, float64 otherwise;
        and how many conversions saturated.
    """
    reads, batch, rows = planes.bits.shape
    slices, _, columns = cells.levels.shape
    blocks, height = block_words(rows, cells.block_rows)
    words = words_of_reads(planes, cells.block_rows)
    packed = packed_levels(cells) if packed is None else packed
    codes = aligned((len(packed), batch, TILE), np.int64)
    run = _unit_steps if _has_unit_steps(planes, cells, converter) else _any_steps
    run_job = run(words, packed, planes, cells, converter, codes)
    vectors = -(-JOB_CONVERSIONS // (reads * slices * blocks * height * TILE))
    parts = -(-batch // vectors)

    def job(number: int) -> int:
        tile, start = number // parts, number % parts * vectors
        return run_job(tile, start, min(batch, start + vectors))

    saturated = spread(job, len(packed) * parts, threads())
    sums = codes.transpose(1, 0, 2).reshape(batch, -1)[:, :columns]
    return values_of_codes(sums, planes, cells, converter), saturated


def _has_unit_steps(planes: Planes, cells: Cells, converter: Converter) -> bool:
    """Whether a code is a sum that is cut off at the top, and a block a word."""
    flawless = converter.exact and converter.zero == 0 and converter.lowest <= 0 <= converter.highest
    return flawless and not planes.bipolar and cells.block_rows <= WORD_ROWS and not cells.flipped.any()


def _unit_steps(
    words: UInt64, packed: UInt64, planes: Planes, cells: Cells, converter: Converter, codes: Int64
) -> Job:
    """The work of a tile where sums are the codes."""
    weight = planes.weight[:, np.newaxis] * cells.weight
    blocks, top = cells.blocks, converter.highest
    whole = blocks - blocks % UNROLLED

    def run(tile: int, start: int, stop: int) -> int:
        saturated = 0
        for first, end, unrolled in ((0, whole, UNROLLED), (whole, blocks, 1)):
            if first < end:
                kernel = unit_step_kernel(cells.cell_bits, unrolled)
                saturated += kernel(
                    packed[tile].reshape(-1),
                    words[0, :, 0],
                    weight,
                    top,
                    first,
                    end,
                    start,
                    stop,
                    codes[tile],
                )
        return saturated

    return run


def _any_steps(
    words: UInt64, packed: UInt64, planes: Planes, cells: Cells, converter: Converter, codes: Int64
) -> Job:
    """The work of a tile where sums are made into codes one by one, negative in complemented columns."""
    weight = planes.weight[:, np.newaxis] * cells.weight
    slices, rows, columns = cells.levels.shape
    most = min(rows, cells.block_rows) * cells.top
    table = _code_table(converter, -most if planes.bipolar else 0, most)
    line = _line(converter, table, most)
    flipped = np.zeros((cells.blocks, slices, len(packed) * TILE), dtype=np.bool_)
    flipped[:, :, :columns] = cells.flipped
    # -1 is all ones: an exclusive or with it, less it, changes the sign
    mask = aligned((len(packed), slices, cells.blocks, TILE), np.int64)
    mask -= flipped.reshape(cells.blocks, slices, -1, TILE).transpose(2, 1, 0, 3)
    skips = cells.access_rows is not None

    def run(tile: int, start: int, stop: int) -> int:
        width = min(TILE, columns - tile * TILE)
        scratch = aligned((2, TILE), np.int64)
        return any_step_kernel(
            packed[tile],
            words,
            weight,
            table,
            line,
            mask[tile],
            skips,
            start,
            stop,
            width,
            scratch,
            codes[tile],
        )

    return run


def _code_table(converter: Converter, least: int, most: int) -> Int64:
    """(sums, 2) the code of each sum from ``least`` to ``most``, and whether the conversion saturates."""
    values, saturated = converter.convert(np.arange(least, most + 1))
    return np.stack([np.rint((values - converter.zero) / converter.step).astype(np.int64), saturated], axis=1)


def _line(converter: Converter, table: Int64, most: int) -> Line:
    """Whole numbers that give the same codes as the table without looking them up, if there are any.

    They are tried with every sum. A little too much is added, so that a sum half way between two codes takes
    the upper one though the slope, which may not have a finite number of bits, is rounded.
    """
    shift = 0 if converter.exact else LINE_BITS
    half = 0.5 if converter.rounds and shift else 0.0
    slope = (1 + converter.gain_error) / converter.step
    start = converter.offset_lsb + half - slope * converter.zero
    more = most if shift else 0
    line = Line(
        straight=True,
        slope=round(slope * 2**shift),
        start=round(start * 2**shift) + more,
        shift=shift,
        lowest=converter.lowest,
        highest=converter.highest,
    )
    if abs(line.slope) * most + abs(line.start) >= 2**62:
        return line._replace(straight=False, slope=0, start=0)
    sums = np.arange(most + 1 - len(table), most + 1)
    code = (sums * line.slope + line.start) >> shift
    kept = np.clip(code, line.lowest, line.highest)
    same = np.array_equal(kept, table[:, 0]) and np.array_equal(kept != code, table[:, 1] > 0)
    return line._replace(straight=same)


def packed_levels(cells: Cells) -> UInt64:
    """(tiles, slices, blocks, words, cell bits, TILE) each bit of the levels of 64 rows, in words."""
    slices, rows, columns = cells.levels.shape
    blocks, height = block_words(rows, cells.block_rows)
    tiles = -(-columns // TILE)
    packed = aligned((tiles, slices, blocks, height, cells.cell_bits, TILE), np.uint64)
    block_rows = min(rows, cells.block_rows)

    def job(tile: int) -> int:
        pack_kernel(cells.levels[:, :, tile * TILE : (tile + 1) * TILE], block_rows, packed[tile])
        return 0

    spread(job, tiles, threads() if cells.levels.size > JOB_CONVERSIONS else 1)
    return packed


@compiled
def pack_kernel(levels: NDArray[np.uint8], block_rows: int, packed: UInt64) -> None:
    """Pack a tile.

    Args: levels: (slices, rows, columns up to TILE); packed: (slices, blocks, words, cell bits, TILE) of
        zeros, to be filled.
    """
    slices, rows, width = levels.shape
    for s in range(slices):
        for row in range(rows):
            block, inside = row // block_rows, row % block_rows
            shift = np.uint64(inside % WORD_ROWS)
            level = levels[s, row]
            for bit in range(packed.shape[3]):
                word = packed[s, block, inside // WORD_ROWS, bit]
                for j in range(width):
                    word[j] |= np.uint64((level[j] >> bit) & 1) << shift


@functools.cache
def unit_step_kernel(cell_bits: int, unrolled: int) -> Any:
    """The kernel for one number of bits a cell and of blocks at a time: loops over them are unrolled."""

    @compiled
    def kernel(
        packed: UInt64,
        words: UInt64,
        weight: Int64,
        top: int,
        first: int,
        end: int,
        start: int,
        stop: int,
        codes: Int64,
    ) -> int:
        """Add the codes of some blocks and vectors to ``codes``; returns how many conversions saturated.

        Nearly all sums stay below the top, so that sums are added as they are while their bits are
        gathered; where these show that one may be too large, what is beyond the top is taken off again.

        Args: packed: (slices * blocks * cell bits * TILE,); words: (blocks, batch * reads); weight: (reads,
            slices); first, end: blocks; start, stop: vectors; codes: (batch, TILE).
        """
        reads, slices = weight.shape
        blocks = len(words)
        saturated = 0
        for vector in range(start, stop):
            for block in range(first, end, unrolled):
                for read in range(reads):
                    word = words[block : block + unrolled, vector * reads + read]
                    for s in range(slices):
                        # unsigned: an index that might be negative, counted from the end, is no vector
                        base = np.uint64((s * blocks + block) * cell_bits * TILE)
                        seen = 0
                        for column in range(TILE):
                            place = base + np.uint64(column)
                            added = 0
                            for u in range(unrolled):
                                total = 0
                                for bit in range(cell_bits):
                                    cell = packed[place + np.uint64((u * cell_bits + bit) * TILE)]
                                    total += popcount(cell & word[u]) << bit
                                seen |= total
                                added += total
                            codes[vector, column] += weight[read, s] * added
                        if seen <= top:
                            continue
                        for column in range(TILE):
                            place = base + np.uint64(column)
                            lost = 0
                            for u in range(unrolled):
                                total = 0
                                for bit in range(cell_bits):
                                    cell = packed[place + np.uint64((u * cell_bits + bit) * TILE)]
                                    total += popcount(cell & word[u]) << bit
                                saturated += total > top
                                lost += max(total - top, 0)
                            codes[vector, column] -= weight[read, s] * lost
        return saturated

    return kernel


@compiled
def add_counts(packed: UInt64, words: UInt64, place: int, sums: Int64) -> bool:
    """Add the sums of the levels that a read drives to ``sums``; returns whether it drives any.

    Args: packed: (words, cell bits, TILE) of one block; words: (words, batch * reads); place: the read;
        sums: (TILE,).
    """
    drives = False
    for w in range(len(words)):
        word = words[w, place]
        if word:
            drives = True
            for bit in range(packed.shape[1]):
                cells = packed[w, bit]
                for column in range(TILE):
                    sums[column] += popcount(cells[column] & word) << bit
    return drives


@compiled
def any_step_kernel(
    packed: UInt64,
    words: UInt64,
    weight: Int64,
    table: Int64,
    line: Line,
    mask: Int64,
    skips: bool,
    start: int,
    stop: int,
    width: int,
    scratch: Int64,
    codes: Int64,
) -> int:
    """Add the codes of some vectors to ``codes``; returns how many conversions saturated.

    Args: packed: (slices, blocks, words, cell bits, TILE); words: (signs, blocks, words, batch * reads);
        weight: (reads, slices); table, line: the codes; mask: (slices, blocks, TILE) -1 where complemented;
        skips: whether blocks without driven wordlines are not converted; start, stop: vectors; width:
        columns; scratch: (2, TILE); codes: (batch, TILE).
    """
    reads, slices = weight.shape
    signs, blocks = words.shape[:2]
    sums, added = scratch[0], scratch[1]
    least = len(table) // 2 if signs > 1 else 0
    saturated = 0
    for s in range(slices):
        for place in range(start * reads, stop * reads):
            added[:] = 0
            for block in range(blocks):
                sums[:] = 0
                drives = False
                if signs > 1:
                    drives = add_counts(packed[s, block], words[1, block], place, sums)
                    for column in range(TILE):
                        sums[column] = -sums[column]
                drives |= add_counts(packed[s, block], words[0, block], place, sums)
                if skips and not drives:
                    continue
                negative = mask[s, block]
                if line.straight:
                    for column in range(width):
                        code = (sums[column] * line.slope + line.start) >> line.shift
                        kept = min(max(code, line.lowest), line.highest)
                        saturated += kept != code
                        added[column] += (kept ^ negative[column]) - negative[column]
                else:
                    for column in range(width):
                        code = table[sums[column] + least, 0]
                        saturated += table[sums[column] + least, 1]
                        added[column] += (code ^ negative[column]) - negative[column]
            for column in range(width):
                codes[place // reads, column] += weight[place % reads, s] * added[column]
    return saturated
