"""The reads of a batch: wordlines that they drive, accesses that they take, sums that they give."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from archsim.crossbar.cells import Cells
from archsim.crossbar.coding import Int64, Planes


def driven_wordlines(planes: Planes, block_rows: int) -> Int64:
    """(reads, batch, blocks) wordlines of each array that a read drives: the ones of its bit-plane."""
    starts = np.arange(0, planes.bits.shape[2], block_rows)
    return np.add.reduceat(np.abs(planes.bits).astype(np.int64), starts, axis=2)


def count_conversions(planes: Planes, cells: Cells) -> int:
    """Conversions that a batch takes: one a bitline and access; without a limit, one access a read."""
    slices, _, columns = cells.levels.shape
    if cells.access_rows is None:
        accesses = planes.bits.shape[0] * planes.bits.shape[1] * cells.blocks
    else:
        driven = driven_wordlines(planes, cells.block_rows)
        accesses = (-(-driven // cells.access_rows)).sum()
    return int(accesses * slices * columns)


def as_accesses(planes: Planes, cells: Cells) -> Planes:
    """The same batch with a plane for each access: of an array's driven wordlines, the first ones first.

    Without a limit of wordlines an access is a read. With one, planes may be empty for some arrays, and an
    empty access does not take place.
    """
    limit, height = cells.access_rows, cells.block_rows
    if limit is None or limit >= height:
        return planes
    driven = np.abs(planes.bits).astype(np.int64)
    order = np.cumsum(driven, axis=2) - driven
    starts = np.arange(0, driven.shape[2], height)
    before = np.repeat(order[:, :, starts], np.diff(np.append(starts, driven.shape[2])), axis=2)
    access = (order - before) // limit
    most = int(access.max(initial=0, where=driven > 0)) + 1
    bits = np.concatenate([np.where(access == number, planes.bits, 0) for number in range(most)])
    return replace(planes, bits=bits, weight=np.tile(planes.weight, most))


def sum_range(planes: Planes, cells: Cells) -> tuple[float, float]:
    """The least and the largest sum of levels on any bitline in any access of a batch; 0 without accesses."""
    least, most = np.inf, -np.inf
    values: NDArray[np.uint8] | NDArray[np.float32] = (
        cells.levels if cells.conductance is None else cells.conductance
    )
    for bits in as_accesses(planes, cells).bits.astype(np.float64):
        for start in range(0, bits.shape[1], cells.block_rows):
            rows = slice(start, start + cells.block_rows)
            driven = bits[:, rows] if cells.access_rows is None else _not_empty(bits[:, rows])
            for level in values if len(driven) else ():
                sums = driven @ level[rows].astype(np.float64)
                least, most = min(least, float(sums.min())), max(most, float(sums.max()))
    return (least, most) if least <= most else (0.0, 0.0)


def _not_empty(bits: NDArray[np.float64]) -> NDArray[np.float64]:
    """The vectors, of (batch, rows), that drive any wordline."""
    return bits[bits.any(axis=1)]
