"""Voltage lost along the wires of an array, to first order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from archsim.crossbar.cells import Cells
from archsim.crossbar.devices import off_level, step_siemens
from archsim.crossbar.error_rate import needed_device
from archsim.parts.analog_module import AnalogModuleModel

Float64 = NDArray[np.float64]


def kept_voltage(siemens: Float64, wire_ohm: float, active_inputs: float) -> Float64:
    """Share of the read voltage that each cell of an array sees when its row is driven.

    Wires run from the drivers, ahead of the first column, and to the converters, ahead of the first row; each
    cell adds ``wire_ohm`` to both. A cell's row is driven, and each other row with the chance
    ``active_inputs``. The currents are those without any loss, so that the lost share x is proportional to
    ``wire_ohm``; 1 / (1 + x) is kept, which is 1 - x to first order, and exact for a cell that is alone.

    Args: siemens: (rows, columns) conductances.
    """
    of_row = wire_ohm * _shared(siemens, axis=1)
    others = active_inputs * _shared(siemens, axis=0)
    alone = siemens * (1 + np.arange(len(siemens)))[:, np.newaxis]
    of_column = wire_ohm * (others + (1 - active_inputs) * alone)
    kept: Float64 = 1 / (1 + of_row + of_column)
    return kept


def kept_shares(levels: NDArray[np.float32], cells: Cells, model: AnalogModuleModel) -> NDArray[np.float32]:
    """(slices, rows, columns) what is left of the current of each cell, where it stands in its array.

    The cells of a weight stand side by side, least significant first, in one array; so do as many weights as
    fit a row; a weight does.

    Args: levels: (slices, rows, columns) as written, without the current of the lowest level.
    Raises: CrossbarError: when the cells have no conductances.
    """
    drop = model.noise.ir_drop
    device = needed_device(model.cell.device, "noise.ir_drop with a wire_ohm")
    slices, rows, columns = levels.shape
    weights = model.array.columns // slices
    lowest, step = off_level(device, cells.cell_bits), step_siemens(device, cells.cell_bits)
    shares = np.empty_like(levels)
    for top in range(0, rows, cells.block_rows):
        for left in range(0, columns, weights):
            array = (slice(None), slice(top, top + cells.block_rows), slice(left, left + weights))
            block = levels[array].transpose(1, 2, 0).astype(np.float64)
            siemens = (block.reshape(len(block), -1) + lowest) * step
            kept = kept_voltage(siemens, drop.wire_ohm, drop.active_inputs)
            shares[array] = kept.reshape(block.shape).transpose(2, 0, 1)
    return shares


def _shared(siemens: Float64, axis: int) -> Float64:
    """For each cell, the conductances of its line, each times the wire pieces on the way to both of them."""
    behind = np.flip(np.cumsum(np.flip(siemens, axis), axis), axis)
    return np.cumsum(behind, axis)
