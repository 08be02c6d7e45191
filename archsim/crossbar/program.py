"""Matrices on the arrays of a machine: programmed once, then multiplied with batches of inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from archsim.crossbar.adc import Converter, make_converter
from archsim.crossbar.cells import Cells, store
from archsim.crossbar.coding import (
    Int64,
    Quantised,
    as_array,
    input_planes,
    integer_batch,
    quantise,
    real_matrix,
    slice_weights,
)
from archsim.crossbar.digital import integer_product
from archsim.crossbar.noise import written
from archsim.crossbar.product import Piece, Product, product
from archsim.crossbar.reads import sum_range
from archsim.errors import CrossbarError
from archsim.hardware.machine import Machine
from archsim.parts.analog_module import AnalogModule, AnalogModuleModel

Lines: TypeAlias = Literal["rows", "columns"]
Seed: TypeAlias = int | Sequence[int]

WEIGHT_BITS = range(2, 17)
INPUT_BITS = range(1, 17)
_MODES = ("slc", "mlc")


@dataclass(frozen=True, slots=True)
class Crossbar:
    """The arithmetic of one machine's analog arrays.

    Args: model: the part's section of the YAML; slc_rate: share of a matrix's lines that is stored as SLC;
        weight_bits: 2 to 16; input_bits: 1 to 16.
    """

    model: AnalogModuleModel
    slc_rate: float
    weight_bits: int = 8
    input_bits: int = 8

    @classmethod
    def of(cls, machine: Machine, weight_bits: int = 8, input_bits: int = 8) -> Crossbar:
        """That of the part which executes linear operations.

        Raises: CrossbarError: when that part has no analog arrays.
        """
        name = machine.mapping.executor("linear")
        part = machine.part(name)
        if not isinstance(part, AnalogModule):
            raise CrossbarError(
                f"{machine.file}: mapping.linear: {name!r} has no analog arrays whose arithmetic could be "
                "computed"
            )
        return cls(part.model, machine.mapping.slc_rate, weight_bits, input_bits)

    def program(
        self,
        matrix: NDArray[Any],
        *,
        split: Lines = "columns",
        slc: ArrayLike | None = None,
        samples: NDArray[Any] | None = None,
        seed: Seed = 0,
    ) -> Programmed:
        """Write a matrix into cells, once: its deviations are drawn here and stay.

        Args: matrix: (rows, columns), integers as they are, or real numbers to be quantised; split: the
            lines (ranks, of SVD factors) that are SLC or MLC; slc: which lines are SLC, (lines,) bool, or the
            share of them, the first ones: the machine's by default; samples: (batch, rows) integer inputs
            for a calibrated converter, which nothing else looks at; seed: of the deviations.
        Raises: CrossbarError: when the matrix, the codings, the cells and the converter do not fit together.
        """
        self._check_widths()
        numbers = seed_numbers(seed)
        if split not in ("rows", "columns"):
            raise CrossbarError(f"split is {split!r}; it must be 'rows' or 'columns'")
        quantised = quantise(matrix, self.weight_bits, self.model.arithmetic.scales)
        rows, columns = quantised.values.shape
        batch = None if samples is None else integer_batch(samples, rows)
        robust = slc_lines(rows if split == "rows" else columns, self.slc_rate if slc is None else slc)
        pieces = []
        for mode, lines in zip(_MODES, (np.flatnonzero(robust), np.flatnonzero(~robust)), strict=True):
            if len(lines):
                which = (lines, np.arange(columns)) if split == "rows" else (np.arange(rows), lines)
                pieces.append(self._piece(mode, quantised.values, *which, batch, numbers))
        return Programmed(self, rows, columns, quantised.scale, tuple(pieces))

    def quantise_inputs(self, inputs: NDArray[Any]) -> Quantised:
        """Real inputs, (batch, rows) or (rows,), as whole numbers with one scale for all.

        Raises: CrossbarError: as ``quantise``.
        """
        what, signed = "a batch of inputs", self.model.arithmetic.inputs != "unsigned"
        given = real_matrix(np.atleast_2d(as_array(inputs, what)), what).astype(np.float64)
        return quantise(given, self.input_bits, "per_tensor", signed=signed, what=what)

    def _check_widths(self) -> None:
        for what, bits, allowed in (
            ("weight_bits", self.weight_bits, WEIGHT_BITS),
            ("input_bits", self.input_bits, INPUT_BITS),
        ):
            if bits not in allowed:
                raise CrossbarError(f"{what} is {bits}; it must be {allowed[0]} to {allowed[-1]}")
        operand_bits = self.model.arithmetic.operand_bits
        if operand_bits not in (None, self.weight_bits) or operand_bits not in (None, self.input_bits):
            raise CrossbarError(
                f"arithmetic.operand_bits is {operand_bits}: the arrays take every number as so many bits, "
                f"and no weights of {self.weight_bits} or inputs of {self.input_bits}"
            )

    def _piece(
        self,
        mode: str,
        values: Int64,
        rows: Int64,
        columns: Int64,
        samples: Int64 | None,
        seed: tuple[int, ...],
    ) -> Piece:
        """The cells and the converter for the lines of one mode."""
        model, weights = self.model, values[np.ix_(rows, columns)]
        cell_bits = model.cell.mode_bits(mode)
        slices = slice_weights(weights, self.weight_bits, cell_bits, model.arithmetic)
        array = model.array
        if len(slices.weight) > array.columns:
            raise CrossbarError(
                f"weights of {self.weight_bits} bits take {len(slices.weight)} {mode.upper()} cells of a row "
                f"each, and a row has {array.columns}: {len(slices.weight) - array.columns} short"
            )
        stored = store(slices, cell_bits, array.rows, array.wordlines_per_access, model.adc.range == "flip")
        cells = written(stored, weights, model, (*seed, _MODES.index(mode)))
        converter = self._converter(mode, cells, None if samples is None else samples[:, rows])
        return Piece(mode, rows, columns, weights, slices.offset, cells, converter)

    def _converter(self, mode: str, cells: Cells, samples: Int64 | None) -> Converter:
        """The converter of one mode; ``samples``, (batch, rows of the cells), are for a calibrated one."""
        adc, arithmetic = self.model.adc, self.model.arithmetic
        sampled = None
        if adc.range == "calibrated" and samples is not None and len(samples):
            sampled = sum_range(input_planes(samples, self.input_bits, arithmetic), cells)
        bits = adc.bits.slc if mode == "slc" else adc.bits.mlc
        return make_converter(adc, bits, cells.full_sum, arithmetic.inputs == "sign_magnitude", sampled)


@dataclass(frozen=True, slots=True, eq=False)
class Programmed:
    """A matrix in its cells.

    Args: scale: (columns,) or (1,) of the quantised weights; pieces: its SLC and its MLC lines.
    """

    crossbar: Crossbar
    rows: int
    columns: int
    scale: NDArray[np.float64]
    pieces: tuple[Piece, ...]

    def multiply(self, inputs: NDArray[Any], *, seed: Seed = 0) -> Product:
        """Inputs times the matrix, as the arrays compute it.

        Args: inputs: (batch, rows) or (rows,) integers; seed: of the deviations of reads.
        Returns: (batch, columns) int64 where every conversion is exact, float64 otherwise.
        Raises: CrossbarError: when shape, type or range do not fit.
        """
        batch, numbers = integer_batch(inputs, self.rows), seed_numbers(seed)
        crossbar = self.crossbar
        total = Product(np.zeros((len(batch), self.columns), dtype=np.int64), 0, 0)
        if not len(batch):
            return total
        for piece in self.pieces:
            own = batch[:, piece.rows]
            planes = input_planes(own, crossbar.input_bits, crossbar.model.arithmetic)
            read, of_mode = crossbar.model.noise.read, (*numbers, _MODES.index(piece.mode))
            total = total.plus(product(piece, planes, own, read, of_mode), piece.columns)
        return total

    def exact(self, inputs: NDArray[Any]) -> Int64:
        """The same product without the errors of cells and converters: (batch, columns).

        Args: inputs: (batch, rows) or (rows,) integers.
        Raises: CrossbarError: when shape or type do not fit.
        """
        batch = integer_batch(inputs, self.rows)
        total = np.zeros((len(batch), self.columns), dtype=np.int64)
        for piece in self.pieces:
            total[:, piece.columns] += integer_product(batch[:, piece.rows], piece.weights)
        return total

    def multiply_real(self, inputs: NDArray[Any], *, seed: Seed = 0) -> NDArray[np.float64]:
        """Real inputs, quantised with one scale, times the matrix, in real numbers: (batch, columns).

        Raises: CrossbarError: when shape, type or range do not fit.
        """
        quantised = self.crossbar.quantise_inputs(inputs)
        return self.multiply(quantised.values, seed=seed).values * (self.scale * quantised.scale)


def slc_lines(lines: int, slc: ArrayLike) -> NDArray[np.bool_]:
    """(lines,) which lines are SLC; of a share the first ones, rounded up as design-time mapping does.

    Raises: CrossbarError: when ``slc`` is neither a bool for each line nor a share.
    """
    given = as_array(slc, "slc")
    if given.ndim or given.dtype == np.bool_:
        if given.shape != (lines,) or given.dtype != np.bool_:
            raise CrossbarError(
                f"slc has the shape {given.shape} of {given.dtype}; it must be ({lines},) of bool"
            )
        return given
    if not (np.issubdtype(given.dtype, np.number) and 0 <= given <= 1):
        raise CrossbarError(f"slc is {slc!r}; a share must be 0 to 1")
    return np.arange(lines) < math.ceil(round(float(given) * lines, 9))


def seed_numbers(seed: Seed) -> tuple[int, ...]:
    """A seed as the numbers that it consists of.

    Raises: CrossbarError: when they are not whole numbers from 0.
    """
    numbers = tuple(seed) if isinstance(seed, Sequence) else (seed,)
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 0:
            raise CrossbarError(f"seed is {seed!r}; it must be a whole number from 0, or several")
    return tuple(int(number) for number in numbers)
