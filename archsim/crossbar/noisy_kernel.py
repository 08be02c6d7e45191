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

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim.cost.entry import Section
from archsim.crossbar.adc import Converter, Float64
from archsim.crossbar.cells import Cells
from archsim.crossbar.coding import Planes
from archsim.crossbar.digital import values_of_codes
from archsim.crossbar.fixed_tiles import Float32, codes_fit, fixed_scratch, fixed_steps, fixed_tile_kernel
from archsim.crossbar.random import key_of
from archsim.crossbar.real_tiles import ADDITIVE, MULTIPLICATIVE, QUIET, Reads, scratch_of, tile_kernel
from archsim.crossbar.steps import Steps, steps_of
from archsim.crossbar.vectors import FIXED_TILE, TILE
from archsim.crossbar.words import UInt64, aligned, compiled, spread, threads, words_of_reads
from archsim.parts.arithmetic import AdditiveNoise, MultiplicativeNoise, NoNoise

JOB_READS = 1024
"""Reads of a tile that share its tables; filling these takes about as long as 100 reads."""


class Work(NamedTuple):
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
    levels: NDArray[Any] = cells.levels if cells.conductance is None else cells.conductance
    slices, rows, columns = levels.shape
    width = min(FIXED_TILE, columns - first)
    tile: Float32 = aligned((slices, rows, FIXED_TILE), np.float32)
    bits = pack_tile(levels, first, tile.reshape(-1), tile.view(np.uint32).reshape(-1))
    largest = np.uint32(bits).view(np.float32)
    flipped = cells.flipped[:, :, first : first + width].transpose(1, 0, 2)
    factor = np.zeros((slices, cells.blocks, FIXED_TILE))
    factor[:, :, :width] = cells.weight[:, np.newaxis, np.newaxis] * (1.0 - 2.0 * flipped)
    fixed = None
    if work.noise.kind == QUIET and not converter.inl_lsb and codes_fit(converter, cells):
        fixed = fixed_steps(converter, min(rows, cells.block_rows), float(largest))
    if fixed is None:
        return _real_tile(work, tile, factor, first, vectors, width)
    scratch = fixed_scratch((vectors[1] - vectors[0]) * work.planes)
    saturated = fixed_tile_kernel(
        tile,
        cells.block_rows,
        work.words,
        vectors[0] * work.planes,
        width,
        factor.astype(np.int32),
        work.skips,
        fixed,
        work.steps,
        scratch,
    )
    return scratch.codes.reshape(-1, work.planes, FIXED_TILE), int(saturated)


def _real_tile(
    work: Work, tile: Float32, factor: Float64, first: int, vectors: tuple[int, int], width: int
) -> tuple[NDArray[Any], int]:
    """The same in float64, where a vector holds half of the columns."""
    codes = np.zeros((vectors[1] - vectors[0], work.planes, FIXED_TILE))
    saturated = 0
    for start in range(0, width, TILE):
        scratch, half = scratch_of((vectors[1] - vectors[0]) * work.planes), slice(start, start + TILE)
        saturated += tile_kernel(
            tile[:, :, start : min(width, start + TILE)],
            work.cells.block_rows,
            work.words,
            work.planes,
            vectors,
            first + start,
            np.ascontiguousarray(factor[:, :, half]),
            work.skips,
            work.steps,
            work.noise,
            scratch,
        )
        codes[:, :, half] = scratch.codes.reshape(-1, work.planes, TILE)
    return codes, int(saturated)


@compiled
def pack_tile(levels: NDArray[Any], first: int, tile: Float32, bits: NDArray[np.uint32]) -> int:
    """Copy a tile, so that it is side by side in memory; returns the bits of its largest absolute value.

    In a whole matrix another page would have to be looked up for each row. Indices are unsigned: one that
    might be negative, counted from the end, is no vector.

    Args: levels: (slices, rows, columns); first: column; tile: (slices * rows * FIXED_TILE,); bits: its bits,
        which are in the order of the numbers where the sign is 0.
    """
    slices, rows, columns = levels.shape
    width, left = np.uint64(min(FIXED_TILE, columns - first)), np.uint64(first)
    largest = np.uint32(0)
    for s in range(slices):
        for row in range(rows):
            at, of_row = np.uint64((s * rows + row) * FIXED_TILE), levels[s, row]
            for column in range(width):
                tile[at + column] = of_row[left + column]
            for column in range(np.uint64(FIXED_TILE)):
                largest = max(largest, bits[at + column] & np.uint32(0x7FFFFFFF))
    return largest
