"""Products conversion by conversion, in plain NumPy, for the tests of the kernels."""

from __future__ import annotations

import numpy as np

from archsim.crossbar.adc import Converter
from archsim.crossbar.cells import Cells, store
from archsim.crossbar.coding import Planes, Slices


def expected(planes: Planes, cells: Cells, converter: Converter) -> tuple[np.ndarray, int]:
    """The product of float64 sums, and how many conversions saturated."""
    held = (cells.levels if cells.conductance is None else cells.conductance).astype(np.float64)
    rows, columns = cells.levels.shape[1:]
    total, saturated = np.zeros((planes.bits.shape[1], columns)), 0
    for bits, counts in zip(planes.bits.astype(np.float64), planes.weight, strict=True):
        for block, start in enumerate(range(0, rows, cells.block_rows)):
            inside = slice(start, start + cells.block_rows)
            driven = bits[:, inside]
            takes_place = np.abs(driven).any(axis=1) | (cells.access_rows is None)
            for slice_, weight in enumerate(cells.weight):
                value, beyond = converter.convert(driven @ held[slice_, inside])
                complement = cells.top * driven.sum(axis=1, keepdims=True) - value
                value = np.where(cells.flipped[block, slice_], complement, value)
                total += counts * weight * value * takes_place[:, np.newaxis]
                saturated += int((beyond & takes_place[:, np.newaxis]).sum())
    return total, saturated


def random_planes(
    generator: np.random.Generator, reads: int, batch: int, rows: int, bipolar: bool, ones: float = 0.5
) -> Planes:
    """Reads of random bits, the last one of negative weight."""
    bits = (generator.random((reads, batch, rows)) < ones).astype(np.int8)
    if bipolar:
        bits *= generator.choice(np.array([-1, 1], dtype=np.int8), (1, batch, rows))
    weight = np.int64(1) << np.arange(reads)
    weight[-1] *= -1
    return Planes(bits, weight, bipolar)


def random_cells(
    generator: np.random.Generator,
    shape: tuple[int, int, int],
    cell_bits: int,
    block_rows: int,
    access_rows: int | None = None,
    flip: bool = False,
) -> Cells:
    """Cells of random levels; shape: (slices, rows, columns); the last slice has a negative weight."""
    levels = generator.integers(0, 2**cell_bits, shape).astype(np.uint8)
    weight = np.int64(1) << (cell_bits * np.arange(shape[0]))
    weight[-1] *= -1
    return store(Slices(levels, weight, 0), cell_bits, block_rows, access_rows, flip)
