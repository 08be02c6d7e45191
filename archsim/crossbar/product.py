"""The product of one matrix in one mode with a batch: conversions, shift-and-add, sums over row blocks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.cost.entry import Section
from archsim.crossbar.adc import Converter
from archsim.crossbar.cells import Cells
from archsim.crossbar.coding import Int64, Planes
from archsim.crossbar.digital import integer_product
from archsim.crossbar.reads import as_accesses, count_conversions
from archsim.parts.arithmetic import NoNoise


@dataclass(frozen=True, eq=False)
class Lossy:
    """Those columns of a piece whose sums may go beyond the codes.

    Args: safe: (columns,) of the piece, those that are not among them; columns: numbers of those that are;
        cells: theirs.
    """

    safe: NDArray[np.bool_]
    columns: Int64
    cells: Cells

    @cached_property
    def packed(self) -> NDArray[np.uint64]:
        """The levels in words, as the kernel takes them."""
        from archsim.crossbar.packed_kernel import packed_levels

        return packed_levels(self.cells)


@dataclass(frozen=True, eq=False)
class Piece:
    """The lines of a matrix that are stored in one mode of the cells.

    Args: rows, columns: which of the matrix's they are; weights: (rows, columns) as quantised; offset: what
        was added to every weight ahead of slicing.
    """

    mode: str
    rows: Int64
    columns: Int64
    weights: Int64
    offset: int
    cells: Cells
    converter: Converter

    @cached_property
    def _lossy(self) -> dict[bool, Lossy]:
        """What is the same for every batch: by whether wordlines are bipolar."""
        return {}

    def lossy(self, bipolar: bool) -> Lossy:
        """The columns whose sums do not fit the codes for every input, worked out once."""
        if bipolar not in self._lossy:
            safe = lossless_columns(self.cells, self.converter, bipolar)
            rest = np.flatnonzero(~safe)
            cells = self.cells if len(rest) == len(safe) else self.cells.take(rest)
            self._lossy[bipolar] = Lossy(safe, rest, cells)
        return self._lossy[bipolar]


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """A product, and what the converters did for it.

    Args: values: (batch, columns) int64, or float64 where conversions are not exact; conversions: that were
        made; saturated: of them, whose sum went beyond the codes.
    """

    values: NDArray[Any]
    conversions: int
    saturated: int

    def plus(self, other: Product, columns: Int64) -> Product:
        """This product with another one added to some of its columns."""
        kind = np.result_type(self.values, other.values)
        values = self.values.astype(kind)
        values[:, columns] += other.values
        return Product(values, self.conversions + other.conversions, self.saturated + other.saturated)


def product(piece: Piece, planes: Planes, inputs: Int64, read: Section, seed: tuple[int, ...]) -> Product:
    """The product of a piece with a batch, by the fastest way that gives what the arrays give.

    Args: inputs: (batch, rows) of which ``planes`` are the reads; read: the model of read noise; seed: of it.
    """
    cells, converter = piece.cells, piece.converter
    conversions = count_conversions(planes, cells)
    if cells.conductance is not None or not isinstance(read, NoNoise):
        from archsim.crossbar.noisy_kernel import noisy_product

        values, saturated = noisy_product(as_accesses(planes, cells), cells, converter, read, seed)
        values -= piece.offset * inputs.sum(axis=1, keepdims=True)
        return Product(values, conversions, saturated)
    lossy = piece.lossy(planes.bipolar)
    if lossy.safe.all():
        return Product(integer_product(inputs, piece.weights), conversions, 0)
    from archsim.crossbar.packed_kernel import packed_product

    values, saturated = packed_product(as_accesses(planes, cells), lossy.cells, converter, lossy.packed)
    values = values - piece.offset * inputs.sum(axis=1, keepdims=True)
    if not lossy.safe.any():
        return Product(values, conversions, saturated)
    whole = np.empty((len(inputs), len(lossy.safe)), dtype=values.dtype)
    whole[:, lossy.columns] = values
    whole[:, lossy.safe] = integer_product(inputs, piece.weights[:, lossy.safe])
    return Product(whole, conversions, saturated)


def lossless_columns(cells: Cells, converter: Converter, bipolar: bool) -> NDArray[np.bool_]:
    """(columns,) those whose sums fit the codes whatever the input, so that no conversion can err."""
    if not converter.exact:
        return np.zeros(cells.levels.shape[2], dtype=np.bool_)
    largest = cells.largest_sums().max(axis=(0, 1))
    least = -largest if bipolar else np.zeros_like(largest)
    above = converter.lowest <= least - converter.zero
    safe: NDArray[np.bool_] = above & (largest - converter.zero <= converter.highest)
    return safe
