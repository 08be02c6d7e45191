"""Tiles of 16 columns whose sums are float64: for noisy reads, INL tables, and where fixed point is coarse.

Conductances have 24 bits, so that the sums of a block are exact or nearly so, in whatever order they are
added. Codes, whole numbers, are added up exactly.
"""

# Compiled code: the types are numba's, and integers are 64 bits wide whatever their names say.
# mypy: disable-error-code="no-any-return, assignment, call-arg"

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim.crossbar.adc import Float64
from archsim.crossbar.random import normal
from archsim.crossbar.steps import Steps, bent
from archsim.crossbar.vectors import (
    ENTRIES,
    GROUPS,
    TILE,
    add_codes_of_row,
    add_entries,
    subtract_entries,
    tabulate,
)
from archsim.crossbar.words import WORD_ROWS, UInt64, aligned, compiled, driven_rows

CACHED_READS = 64
"""Reads whose sums are converted before the next ones are added up."""

QUIET, ADDITIVE, MULTIPLICATIVE = range(3)
"""Deviations of reads: none, of each driven cell alike, or in proportion to its conductance."""


class Reads(NamedTuple):
    """How reads deviate, and the key of the random numbers."""

    kind: int
    sigma: float
    first_key: np.uint64
    second_key: np.uint64


class Scratch(NamedTuple):
    """Room for the work on a tile.

    Args: table, square_table: (GROUPS * ENTRIES * TILE,) sums of conductances, and of their squares; sums,
        squares, codes: (reads * TILE,); level: (TILE,) of a row.
    """

    table: Float64
    square_table: Float64
    sums: Float64
    squares: Float64
    codes: Float64
    level: Float64


def scratch_of(reads: int) -> Scratch:
    """Room for a tile and some reads."""
    table, each = (GROUPS * ENTRIES * TILE,), (reads * TILE,)
    return Scratch(*(aligned(shape, np.float64) for shape in (table, table, each, each, each, (TILE,))))


@compiled
def fill_tables(
    levels: NDArray[Any],
    rows: tuple[int, int],
    squared: bool,
    scratch: Scratch,
) -> None:
    """Tabulate what four rows each of a word can add, of one slice's (rows, columns of the tile) levels.

    Args: rows: the first, and the one after the last; squared: whether squares are tabulated too.
    """
    scratch.level[:] = 0.0
    for group in range(GROUPS):
        base = group * ENTRIES * TILE
        scratch.table[base : base + TILE] = 0.0
        scratch.square_table[base : base + TILE] = 0.0
        for bit in range(4):
            row, half = rows[0] + 4 * group + bit, TILE << bit
            if row < rows[1]:
                for column in range(levels.shape[1]):
                    scratch.level[column] = levels[row, column]
            else:
                scratch.level[:] = 0.0
            for entry in range(base, base + half, TILE):
                tabulate(scratch.table, entry + half, entry, scratch.level)
            if squared:
                for column in range(TILE):
                    scratch.level[column] *= scratch.level[column]
                for entry in range(base, base + half, TILE):
                    tabulate(scratch.square_table, entry + half, entry, scratch.level)


@compiled
def add_codes(
    words: UInt64,
    place: int,
    reads: tuple[int, int],
    columns: int,
    factor: Float64,
    skips: bool,
    steps: Steps,
    scratch: Scratch,
) -> int:
    """Add the codes of a block's sums, times what a code counts; returns how many conversions saturated.

    Args: words: (signs, words, batch * reads) of the block; place: the first read of the job; reads: of the
        job, the first, and the one after the last; factor: (TILE,); skips: whether reads without driven
        wordlines are not converted.
    """
    sums, codes, bends = scratch.sums, scratch.codes, scratch.level
    there = (1 << columns) - 1
    saturated = 0
    if steps.step != 1 or steps.zero != 0:
        for i in range(reads[0] * TILE, reads[1] * TILE):
            sums[i] = (sums[i] - steps.zero) / steps.step
    bends[:] = 0.0
    least, most, half = steps.lowest, steps.highest, steps.half
    offset, gain = steps.offset_lsb, steps.gain_error
    if skips or len(steps.inl_lsb):
        for i in range(reads[0], reads[1]):
            if skips and not driven_rows(words, place + i):
                continue
            for column in range(TILE if len(steps.inl_lsb) else 0):
                bends[column] = bent(sums[i * TILE + column], steps)
            saturated += add_codes_of_row(
                codes, i * TILE, sums, bends, factor, there, least, most, half, offset, gain
            )
    else:  # nothing else in this loop, which is the one that counts
        for i in range(reads[0], reads[1]):
            saturated += add_codes_of_row(
                codes, i * TILE, sums, bends, factor, there, least, most, half, offset, gain
            )
    return saturated


@compiled
def add_deviations(
    noise: Reads,
    words: UInt64,
    place: int,
    reads: tuple[int, int],
    planes: int,
    where: int,
    first: int,
    scratch: Scratch,
) -> None:
    """Add the deviations of reads to the sums of one block and slice.

    Args: words: (signs, words, batch * reads) of the block; place: the first read of the job; reads: of the
        job, the first, and the one after the last; planes: reads of a vector; where: number of the block
        and slice; first: column.
    """
    for i in range(reads[0], reads[1]):
        read = place + i
        vector, plane = np.uint64(read // planes), np.uint64(read % planes)
        if noise.kind == ADDITIVE:
            scratch.squares[i * TILE : (i + 1) * TILE] = driven_rows(words, read)
        # unsigned: an index that might be negative, counted from the end, is no vector
        base = np.uint64(i * TILE)
        for column in range(TILE):
            number = normal(
                noise.first_key, noise.second_key, np.uint64(first + column), vector, plane, np.uint64(where)
            )
            at = base + np.uint64(column)
            scratch.sums[at] += noise.sigma * math.sqrt(scratch.squares[at]) * number


@compiled
def add_word(words: UInt64, place: int, reads: tuple[int, int], squared: bool, scratch: Scratch) -> None:
    """Add what 64 rows give to the sums of some reads, and to the sums of squares where they are asked for.

    Args: words: (signs, batch * reads); place: the first read of the job; reads: of the job, the first, and
        the one after the last.
    """
    for i in range(reads[0], reads[1]):
        add_entries(scratch.sums, i * TILE, scratch.table, words[0, place + i])
    for i in range(reads[0], reads[1] if len(words) > 1 else reads[0]):
        subtract_entries(scratch.sums, i * TILE, scratch.table, words[1, place + i])
    for sign in range(len(words) if squared else 0):
        for i in range(reads[0], reads[1]):
            add_entries(scratch.squares, i * TILE, scratch.square_table, words[sign, place + i])


@compiled
def tile_kernel(
    levels: NDArray[Any],
    block_rows: int,
    words: UInt64,
    planes: int,
    vectors: tuple[int, int],
    first: int,
    factor: Float64,
    skips: bool,
    steps: Steps,
    noise: Reads,
    scratch: Scratch,
) -> int:
    """Add up the codes of a tile in ``scratch.codes``; returns how many conversions saturated.

    Some reads at a time, so that their sums are still in the first-level cache when they are converted.

    Args: levels: (slices, rows, columns of the tile); words: (signs, blocks, words, batch * reads); planes:
        reads of a vector; vectors: the first, and the one after the last; first: column; factor: (slices,
        blocks, TILE) what a code counts; skips: whether blocks without driven wordlines are not converted.
    """
    slices, rows, width = levels.shape
    blocks, height = words.shape[1:3]
    squared = noise.kind == MULTIPLICATIVE
    place, count = vectors[0] * planes, (vectors[1] - vectors[0]) * planes
    saturated = 0
    for s in range(slices):
        for block in range(blocks):
            scratch.sums[: count * TILE] = 0.0
            if squared:
                scratch.squares[: count * TILE] = 0.0
            for w in range(height):
                top = block * block_rows + w * WORD_ROWS
                bottom = min(rows, (block + 1) * block_rows)
                fill_tables(levels[s], (top, bottom), squared, scratch)
                for start in range(0, count, CACHED_READS):
                    some = (start, min(count, start + CACHED_READS))
                    add_word(words[:, block, w], place, some, squared, scratch)
                    if w + 1 < height:
                        continue
                    of_block = words[:, block]
                    if noise.kind != QUIET:
                        where = block * slices + s
                        add_deviations(noise, of_block, place, some, planes, where, first, scratch)
                    saturated += add_codes(
                        of_block, place, some, width, factor[s, block], skips, steps, scratch
                    )
    return saturated
