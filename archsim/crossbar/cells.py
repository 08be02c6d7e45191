"""What stands in the cells of the arrays that hold one matrix in one mode."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from archsim.crossbar.coding import Slices

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Cells as they are stored; rows are cut into blocks of ``block_rows``, one array downwards each.

    Args: levels: (slices, rows, columns) uint8, complemented where ``flipped``; weight: (slices,) what a
        level of each slice counts; flipped: (blocks, slices, columns) bool; cell_bits: of a cell; block_rows:
        rows of an array; access_rows: wordlines that one access drives at most, None where all are driven at
        once; conductance: (slices, rows, columns) float32, the levels as they really are, or None where they
        are exact.
    """

    levels: NDArray[np.uint8]
    weight: Int64
    flipped: NDArray[np.bool_]
    cell_bits: int
    block_rows: int
    access_rows: int | None
    conductance: NDArray[np.float32] | None = None

    @property
    def top(self) -> int:
        """The highest level of a cell."""
        return (1 << self.cell_bits) - 1

    @property
    def blocks(self) -> int:
        """Arrays downwards."""
        rows: int = self.levels.shape[1]
        return -(-rows // self.block_rows)

    @property
    def full_sum(self) -> int:
        """The sum of as many top levels as one access can drive."""
        return min(self.access_rows or self.block_rows, self.block_rows) * self.top

    def largest_sums(self) -> Int64:
        """(blocks, slices, columns) the largest sum of levels that any input can give."""
        return np.minimum(block_sums(self.levels, self.block_rows), self.full_sum)

    def take(self, columns: Int64) -> Cells:
        """The same cells, those of some columns only."""
        conductance = None if self.conductance is None else self.conductance[:, :, columns]
        return replace(
            self,
            levels=self.levels[:, :, columns],
            flipped=self.flipped[:, :, columns],
            conductance=conductance,
        )


def block_sums(levels: NDArray[np.uint8], block_rows: int) -> Int64:
    """(blocks, slices, columns) the levels of (slices, rows, columns), added up in each block of rows."""
    starts = np.arange(0, levels.shape[1], block_rows)
    return np.add.reduceat(levels, starts, axis=1, dtype=np.int64).transpose(1, 0, 2)


def store(slices: Slices, cell_bits: int, block_rows: int, access_rows: int | None, flip: bool) -> Cells:
    """The cells for a matrix; with ``flip``, columns of more than half the full level sum are complemented.

    Source: ISAAC (ISCA 2016), section IV: the largest sum is halved, and so the ADC needs a bit less.
    """
    levels, top = slices.levels, 2**cell_bits - 1
    rows = levels.shape[1]
    heights = np.minimum(block_rows, rows - np.arange(0, rows, block_rows))
    sums = block_sums(levels, block_rows)
    flipped = (
        2 * sums > (heights * top)[:, np.newaxis, np.newaxis]
        if flip
        else np.zeros(sums.shape, dtype=np.bool_)
    )
    if flip:
        of_rows = np.repeat(flipped, heights, axis=0).transpose(1, 0, 2)
        levels = np.where(of_rows, top - levels, levels).astype(np.uint8)
    return Cells(levels, slices.weight, flipped, cell_bits, block_rows, access_rows)
