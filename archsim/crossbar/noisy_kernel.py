"""Products of cells that deviate: sums of conductances from tables, the converter behind them.

Wordlines carry bits, so that four rows can add only 16 sums to a bitline. These are tabulated once for each
tile of 32 columns and used by every read of a batch: a read of 64 rows takes 16 additions a column in place
of 64 multiplications and additions, less than a matrix product that runs at the peak of the processor.

Precision: codes are those of float64 sums. ``fixed_tiles`` gets them from sums of whole numbers and settles
the few that are in doubt; ``real_tiles`` adds up float64, where reads have noise or the converter is bent.
"""

# Compiled code: the types are numba's, and integers are 64 bits wide whatever their names say.
# mypy: disable-error-code="no-any-return, assignment, call-arg"

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.cost.entry import Section
from archsim.crossbar.adc import Converter, Float64
from archsim.crossbar.cells import Cells
from archsim.crossbar.coding import Planes
from archsim.crossbar.digital import values_of_codes
from archsim.crossbar.fixed_tiles import (
    TOO_MANY,
    FixedSteps,
    Float32,
    codes_fit,
    fixed_scratch,
    fixed_steps,
    fixed_tile_kernel,
)
from archsim.crossbar.random import key_of
from archsim.crossbar.real_tiles import ADDITIVE, MULTIPLICATIVE, QUIET, Reads, scratch_of, tile_kernel
from archsim.crossbar.steps import Steps, steps_of
from archsim.crossbar.vectors import FIXED_TILE, TILE
from archsim.crossbar.words import UInt64, aligned, compiled, spread, threads, words_of_reads
from archsim.parts.arithmetic import AdditiveNoise, MultiplicativeNoise, NoNoise

JOB_READS = 1024
"""Reads of a tile that share its tables; filling these takes about as long as 100 reads."""


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """What the tiles of a product have in common.

    Args: words: (signs, blocks, words, batch * reads) wordlines; planes: reads of a vector.
    """

    cells: Cells
    converter: Converter
    steps: Steps
    words: UInt64
    planes: int
    noise: Reads

    @property
    def skips(self) -> bool:
        """Whether blocks without driven wordlines are not converted."""
        return self.cells.access_rows is not None


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """Some columns and some of the batch.

    Args: levels: (slices, rows, FIXED_TILE); factor: (slices, blocks, FIXED_TILE) what a code counts; first:
        column; width: columns that there are; vectors: the first, and the one after the last.
    """

    levels: Float32
    factor: Float64
    first: int
    width: int
    vectors: tuple[int, int]


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
    columns = cells.levels.shape[2]
    words, noise = words_of_reads(planes, cells.block_rows), _reads(read, cells.cell_bits, seed)
    work = Work(cells, converter, steps_of(converter), words, reads, noise)
    tiles, vectors = -(-columns // FIXED_TILE), max(1, JOB_READS // reads)
    parts = -(-batch // vectors)
    codes = np.zeros((batch, tiles * FIXED_TILE))
    plane_weight = planes.weight.astype(np.float64)

    def job(number: int) -> int:
        tile, start = number // parts, number % parts * vectors
        stop, first = min(batch, start + vectors), tile * FIXED_TILE
        of_reads, saturated = _tile(work, first, (start, stop))
        codes[start:stop, first : first + FIXED_TILE] = np.einsum("p,bpc->bc", plane_weight, of_reads)
        return saturated

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


def _tile(work: Work, first: int, vectors: tuple[int, int]) -> tuple[NDArray[Any], int]:
    """The codes of a tile, added up over slices and blocks.

    Args: first: column; vectors: of the batch, the first, and the one after the last.
    Returns: (vectors, planes, FIXED_TILE), and how many conversions saturated.
    """
    cells, converter = work.cells, work.converter
    levels, largest = _packed(cells, first)
    slices, rows, _ = levels.shape
    flipped = cells.flipped[:, :, first : first + FIXED_TILE].transpose(1, 0, 2)
    width = flipped.shape[2]
    factor = np.zeros((slices, cells.blocks, FIXED_TILE))
    factor[:, :, :width] = cells.weight[:, np.newaxis, np.newaxis] * (1.0 - 2.0 * flipped)
    tile = Tile(levels, factor, first, width, vectors)
    if work.noise.kind == QUIET and not converter.inl_lsb and codes_fit(converter, cells):
        fixed = fixed_steps(converter, min(rows, cells.block_rows), largest)
        found = None if fixed is None else _fixed_tile(work, tile, fixed)
        if found is not None:
            return found
    return _real_tile(work, tile)


def _fixed_tile(work: Work, tile: Tile, fixed: FixedSteps) -> tuple[NDArray[Any], int] | None:
    """The codes of a tile from sums of whole numbers; none where too many of them are in doubt."""
    scratch = fixed_scratch((tile.vectors[1] - tile.vectors[0]) * work.planes)
    saturated = fixed_tile_kernel(
        tile.levels,
        work.cells.block_rows,
        work.words,
        tile.vectors[0] * work.planes,
        tile.width,
        tile.factor.astype(np.int32),
        work.skips,
        fixed,
        work.steps,
        scratch,
    )
    if saturated == TOO_MANY:
        return None
    return scratch.codes.reshape(-1, work.planes, FIXED_TILE), int(saturated)


def _packed(cells: Cells, first: int) -> tuple[Float32, float]:
    """The levels of a tile, (slices, rows, FIXED_TILE), and the largest absolute value of them.

    In the whole matrix another page would have to be looked up for each row.
    """
    whole: NDArray[Any] = cells.levels if cells.conductance is None else cells.conductance
    slices, rows, columns = whole.shape
    width = min(FIXED_TILE, columns - first)
    levels: Float32 = aligned((slices, rows, FIXED_TILE), np.float32)
    levels[:, :, :width] = whole[:, :, first : first + width]
    largest = np.uint32(largest_bits(levels.view(np.uint32).reshape(-1)))
    return levels, float(largest.view(np.float32))


def _real_tile(work: Work, tile: Tile) -> tuple[NDArray[Any], int]:
    """The codes of a tile from sums of float64, of which a vector holds half of the columns."""
    vectors = tile.vectors[1] - tile.vectors[0]
    codes = np.zeros((vectors, work.planes, FIXED_TILE))
    saturated = 0
    for start in range(0, tile.width, TILE):
        scratch, half = scratch_of(vectors * work.planes), slice(start, start + TILE)
        saturated += tile_kernel(
            tile.levels[:, :, start : min(tile.width, start + TILE)],
            work.cells.block_rows,
            work.words,
            work.planes,
            tile.vectors,
            tile.first + start,
            np.ascontiguousarray(tile.factor[:, :, half]),
            work.skips,
            work.steps,
            work.noise,
            scratch,
        )
        codes[:, :, half] = scratch.codes.reshape(-1, work.planes, TILE)
    return codes, int(saturated)


@compiled
def largest_bits(bits: NDArray[np.uint32]) -> np.uint32:
    """The bits of the largest absolute value of float32: without their signs, they are in the same order."""
    largest = np.uint32(0)
    for i in range(len(bits)):
        largest = max(largest, bits[i] & np.uint32(0x7FFFFFFF))
    return largest
