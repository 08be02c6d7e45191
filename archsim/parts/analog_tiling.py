"""How weights lie on the arrays of an analog RRAM module."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archsim.parts.part import Region, Stored

if TYPE_CHECKING:
    from archsim.parts.analog_model import AnalogModel


@dataclass(frozen=True, slots=True)
class Tiling:
    """How a region of weights lies on whole arrays.

    Args: row_blocks, column_blocks: arrays downwards and across; cell_columns: bitlines in use, all
        column blocks together; arrays: whole ADC groups, since matrices do not share a converter.
    """

    mode: str
    rows: int
    row_blocks: int
    column_blocks: int
    cell_columns: int
    arrays: int

    @property
    def blocks(self) -> int:
        """Arrays that hold weights."""
        return self.row_blocks * self.column_blocks

    @property
    def cells(self) -> int:
        """Cells that hold weights."""
        return self.rows * self.cell_columns


def tilings(stored: Stored, model: AnalogModel) -> tuple[Tiling, ...]:
    """The tiling of each region of a matrix."""
    return tuple(_tiling(region, stored.bits, model) for region in stored.regions)


def _tiling(region: Region, weight_bits: int, model: AnalogModel) -> Tiling:
    """Whole arrays for one region; the cells of a weight stay in one array."""
    cells = model.cells_per_weight(region.mode, weight_bits)
    row_blocks = -(-region.rows // model.array.rows)
    column_blocks = -(-region.columns // (model.array.columns // cells))
    share = model.adc.arrays_per_adc
    arrays = -(-row_blocks * column_blocks // share) * share
    return Tiling(region.mode, region.rows, row_blocks, column_blocks, region.columns * cells, arrays)


def partial_sums(stored: Stored, tiles: Sequence[Tiling]) -> int:
    """Row blocks whose sums add up to each element of the result.

    Regions one below the other (the SLC and MLC ranks of a second SVD factor) add up to the same
    elements; of regions side by side, the tallest decides.
    Args: tiles: of the regions.
    """
    blocks = [tiling.row_blocks for tiling in tiles]
    below_each_other = all(region.columns == stored.columns for region in stored.regions)
    return sum(blocks) if below_each_other else max(blocks)


def block_rows(heights: Iterable[int], array_rows: int) -> dict[int, int]:
    """Row blocks of matrices of these heights, by the rows of an array that are in use in each."""
    found: dict[int, int] = {}
    for rows in heights:
        full, rest = divmod(rows, array_rows)
        for used, count in ((array_rows, full), (rest, 1)):
            if used and count:
                found[used] = found.get(used, 0) + count
    return found


def input_blocks(stored: Stored, array_rows: int) -> dict[int, int]:
    """Row blocks of a matrix that take inputs of their own, by the rows in use; see ``block_rows``.

    Regions one below the other take different inputs, those side by side the same.
    """
    heights = [region.rows for region in stored.regions]
    return block_rows(heights if sum(heights) == stored.rows else heights[:1], array_rows)
