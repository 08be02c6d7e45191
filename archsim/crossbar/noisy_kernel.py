"""Products of cells that deviate: sums of conductances from tables, the converter behind them.

Wordlines carry bits, so that four rows can add only 16 sums to a bitline. These are tabulated once for each
tile of 16 columns and used by every read of a batch: a read of 64 rows takes 16 additions a column in place
of 64 multiplications and additions, less than a matrix product that runs at the peak of the processor.

Precision: sums are added up in float64. Conductances have 24 bits, so that the sums of a block are exact or
nearly so, in whatever order they are added; float32 would be off by a code now and then where a sum is close
to the edge between two codes. Codes, whole numbers, are added up exactly.
"""

# Compiled code: the types are numba's, and integers are 64 bits wide whatever their names say.
# mypy: disable-error-code="no-any-return, assignment, call-arg"

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim.cost.entry import Section
from archsim.crossbar.adc import Converter, Float64
from archsim.crossbar.cells import Cells
from archsim.crossbar.coding import Planes
from archsim.crossbar.digital import values_of_codes
from archsim.crossbar.random import key_of, normal
from archsim.crossbar.vectors import (
    ENTRIES,
    GROUPS,
    TILE,
    add_codes_of_row,
    add_entries,
    tabulate,
)
from archsim.crossbar.words import (
    WORD_ROWS,
    UInt64,
    aligned,
    compiled,
    popcount,
    spread,
    threads,
    words_of_reads,
)
from archsim.parts.arithmetic import AdditiveNoise, MultiplicativeNoise, NoNoise

JOB_READS = 512
"""Reads of a tile that share its tables; filling these takes about as long as 16 reads."""

CACHED_READS = 64
"""Reads whose sums are converted before the next ones are added up."""

QUIET, ADDITIVE, MULTIPLICATIVE = range(3)
"""Deviations of reads: none, of each driven cell alike, or in proportion to its conductance."""


class Steps(NamedTuple):
    """A converter; the names are those of ``Converter``.

    Args: half: 0.5 where it rounds, else 0; inl_codes, inl_lsb: codes and their errors, empty for none.
    """

    lowest: float
    highest: float
    step: float
    zero: float
    half: float
    offset_lsb: float
    gain_error: float
    inl_codes: Float64
    inl_lsb: Float64


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


def noisy_product(
    planes: Planes, cells: Cells, converter: Converter, read: Section, seed: tuple[int, ...]
) -> tuple[Float64, int]:
    """The product of a batch with inexact cells or reads, without the correction for offset-coded weights.

    A read's deviations are normal and independent, and so is their sum: one random number a conversion, of
    variance sum x^2 sigma^2 over its cells, is exact in distribution. It is drawn by plane, slice, block,
    column and vector, and so is the same for any number of threads.

    Args: planes: the accesses of the batch; cells: whose levels count where they have no conductances;
        read: how reads deviate; seed: of that.
    Returns: (batch, columns), and how many conversions saturated.
    """
    reads, batch, _ = planes.bits.shape
    slices, _, columns = cells.levels.shape
    levels: NDArray[Any] = cells.levels if cells.conductance is None else cells.conductance
    words = words_of_reads(planes, cells.block_rows)
    tiles = -(-columns // TILE)
    factor = aligned((tiles, slices, cells.blocks, TILE), np.float64)
    for tile in range(tiles):
        flipped = cells.flipped[:, :, tile * TILE : (tile + 1) * TILE].transpose(1, 0, 2)
        factor[tile, :, :, : flipped.shape[2]] = cells.weight[:, np.newaxis, np.newaxis] * (
            1.0 - 2.0 * flipped
        )
    codes = np.zeros((batch, tiles * TILE))
    skips, noise, steps = (
        cells.access_rows is not None,
        _reads(read, cells.cell_bits, seed),
        _steps(converter),
    )
    vectors = max(1, JOB_READS // reads)
    parts = -(-batch // vectors)
    plane_weight = planes.weight.astype(np.float64)

    def job(number: int) -> int:
        tile, start = number // parts, number % parts * vectors
        stop, first = min(batch, start + vectors), tile * TILE
        scratch = _scratch((stop - start) * reads)
        # side by side in memory: one page of the whole matrix would have to be looked up for each row
        of_tile = np.ascontiguousarray(levels[:, :, first : first + TILE])
        saturated = tile_kernel(
            of_tile,
            cells.block_rows,
            words,
            reads,
            (start, stop),
            first,
            factor[tile],
            skips,
            steps,
            noise,
            scratch,
        )
        of_reads = scratch.codes.reshape(stop - start, reads, TILE)
        codes[start:stop, first : first + TILE] = np.einsum("p,bpc->bc", plane_weight, of_reads)
        return int(saturated)

    saturated = spread(job, tiles * parts, threads())
    return values_of_codes(codes[:, :columns], planes, cells, converter), saturated


def _reads(read: Section, cell_bits: int, seed: tuple[int, ...]) -> Reads:
    """The deviations of reads as numbers.

    Raises: TypeError: when nothing is known about this kind of noise in reads.
    """
    if isinstance(read, NoNoise):
        return Reads(QUIET, 0.0, np.uint64(0), np.uint64(0))
    if not isinstance(read, AdditiveNoise | MultiplicativeNoise):
        raise TypeError(f"reads have no noise of the type {type(read).__name__}")
    from archsim.crossbar.error_rate import sigma_of

    kind = ADDITIVE if isinstance(read, AdditiveNoise) else MULTIPLICATIVE
    return Reads(kind, float(sigma_of(read, cell_bits)), *key_of(seed))


def _steps(converter: Converter) -> Steps:
    """The converter as numbers."""
    codes = np.linspace(converter.lowest, converter.highest, len(converter.inl_lsb))
    return Steps(
        float(converter.lowest),
        float(converter.highest),
        float(converter.step),
        float(converter.zero),
        0.5 if converter.rounds else 0.0,
        float(converter.offset_lsb),
        float(converter.gain_error),
        codes,
        np.array(converter.inl_lsb, dtype=np.float64),
    )


def _scratch(reads: int) -> Scratch:
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
def bent(ideal: float, steps: Steps) -> float:
    """The integral non-linearity at a code, as ``numpy.interp`` has it."""
    codes, errors = steps.inl_codes, steps.inl_lsb
    last = len(codes) - 1
    if ideal <= codes[0]:
        return errors[0]
    if ideal >= codes[last]:
        return errors[last]
    low, high = 0, last
    while high - low > 1:
        middle = (low + high) // 2
        if codes[middle] <= ideal:
            low = middle
        else:
            high = middle
    slope = (errors[high] - errors[low]) / (codes[high] - codes[low])
    return slope * (ideal - codes[low]) + errors[low]


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
    least, most, half, offset, gain = (
        steps.lowest,
        steps.highest,
        steps.half,
        steps.offset_lsb,
        steps.gain_error,
    )
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
def driven_rows(words: UInt64, read: int) -> int:
    """Wordlines of one block, (signs, words, batch * reads), that a read drives."""
    driven = 0
    for sign in range(words.shape[0]):
        for w in range(words.shape[1]):
            driven += popcount(words[sign, w, read])
    return driven


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
    sums = scratch.sums
    for sign in range(len(words) - 1, -1, -1):
        if len(words) > 1:  # to and fro: negative wordlines are added to sums whose signs are changed
            for i in range(reads[0] * TILE, reads[1] * TILE):
                sums[i] = -sums[i]
        for i in range(reads[0], reads[1]):
            add_entries(sums, i * TILE, scratch.table, words[sign, place + i])
        for i in range(reads[0], reads[1] if squared else reads[0]):
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
                        of_block,
                        place,
                        some,
                        width,
                        factor[s, block],
                        skips,
                        steps,
                        scratch,
                    )
    return saturated
