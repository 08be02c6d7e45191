"""How weights lie on the arrays of an analog RRAM module."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archsim.parts.part import Region, Stored

if TYPE_CHECKING:
    from archsim.parts.analog_module import AnalogModuleModel


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


def tilings(stored: Stored, model: AnalogModuleModel) -> tuple[Tiling, ...]:
    """The tiling of each region of a matrix."""
    return tuple(_tiling(region, stored.bits, model) for region in stored.regions)


def _tiling(region: Region, weight_bits: int, model: AnalogModuleModel) -> Tiling:
    """Whole arrays for one region; the cells of a weight stay in one array."""
    cells = model.cell.per_weight(region.mode, weight_bits)
    row_blocks = -(-region.rows // model.array.rows)
    column_blocks = -(-region.columns // (model.array.columns // cells))
    share = model.adc.arrays_per_adc
    arrays = -(-row_blocks * column_blocks // share) * share
    return Tiling(region.mode, region.rows, row_blocks, column_blocks, region.columns * cells, arrays)


def partial_sums(stored: Stored, model: AnalogModuleModel) -> int:
    """Row blocks whose sums add up to each element of the result.

    Regions one below the other (the SLC and MLC ranks of a second SVD factor) add up to the same
    elements; of regions side by side, the tallest decides.
    """
    blocks = [tiling.row_blocks for tiling in tilings(stored, model)]
    below_each_other = all(region.columns == stored.columns for region in stored.regions)
    return sum(blocks) if below_each_other else max(blocks)
