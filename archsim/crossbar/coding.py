"""Numbers as arrays take them: quantised matrices, weights in slices, inputs in bit-planes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from archsim.errors import CrossbarError
from archsim.parts.arithmetic import ArithmeticModel

Int64 = NDArray[np.int64]

_WORDS = {
    "offset": "offset",
    "differential": "differential",
    "twos_complement": "two's complement",
    "unsigned": "unsigned",
    "sign_magnitude": "sign-magnitude",
    "two_pass": "two passes",
}
"""The codings as messages call them."""


@dataclass(frozen=True, slots=True, eq=False)
class Quantised:
    """A matrix of whole numbers that stands for one of real numbers.

    Args: values: (rows, columns) int64; scale: (columns,), or (1,) for the whole matrix; the real number
        is value * scale.
    """

    values: Int64
    scale: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Slices:
    """The levels that cells store for a matrix of weights.

    Args: levels: (slices, rows, columns) uint8; weight: (slices,) what a level of each slice counts,
        negative in the columns for negative parts; offset: what is added to every weight ahead of slicing.
    """

    levels: NDArray[np.uint8]
    weight: Int64
    offset: int


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """The reads that a batch of inputs takes.

    Args: bits: (reads, batch, rows) int8, 0 and 1, or -1 to 1 where wordlines are bipolar; weight: (reads,)
        what each read counts; bipolar: whether sums may be negative.
    """

    bits: NDArray[np.int8]
    weight: Int64
    bipolar: bool


def quantise(
    matrix: NDArray[Any],
    bits: int,
    scales: Literal["per_channel", "per_tensor"],
    *,
    signed: bool = True,
    what: str = "a matrix of weights",
) -> Quantised:
    """The nearest whole numbers that ``bits`` carry; a matrix of integers stays as it is.

    Args: matrix: (rows, columns); scales: one for each column, or one for the whole matrix; signed: whether
        they are -(2^(bits-1) - 1) to 2^(bits-1) - 1, or 0 to 2^bits - 1; what: the matrix is, for messages.
    Raises: CrossbarError: when it is not a matrix, is empty or holds no finite numbers, or negative ones
        where only others can be carried.
    """
    given = real_matrix(matrix, what)
    if np.issubdtype(given.dtype, np.integer):
        return Quantised(_int64(given, what), np.ones(1))
    numbers = given.astype(np.float64)
    if not signed and numbers.min() < 0:
        raise CrossbarError(
            f"{what} holds {numbers.min():g}, and arithmetic.inputs: unsigned carries no sign: use "
            "twos_complement, sign_magnitude or two_pass"
        )
    top = max(2 ** (bits - 1) - 1, 1) if signed else 2**bits - 1
    scale = np.abs(numbers).max(axis=0 if scales == "per_channel" else None).reshape(-1) / top
    scale = np.where(scale > 0, scale, 1.0)
    return Quantised(np.rint(numbers / scale).astype(np.int64), scale)


def slice_weights(weights: Int64, bits: int, cell_bits: int, arithmetic: ArithmeticModel) -> Slices:
    """The slices of a matrix, the least significant first; of ``differential``, first all positive parts.

    Args: weights: (rows, columns); bits: of a weight, at least 2; cell_bits: of a cell.
    Raises: CrossbarError: when a weight is out of range, or the coding does not fit the cells.
    """
    coding = arithmetic.weights
    half = 2 ** (bits - 1)
    lowest = 1 - half if coding == "differential" else -half
    _check_range(weights, lowest, half - 1, f"weights of {bits} bits, {_WORDS[coding]}")
    if coding == "differential":
        positive, weight = _cut(np.maximum(weights, 0), bits - 1, cell_bits)
        negative, _ = _cut(np.maximum(-weights, 0), bits - 1, cell_bits)
        return Slices(np.concatenate([positive, negative]), np.concatenate([weight, -weight]), 0)
    if coding == "offset":
        return Slices(*_cut(weights + half, bits, cell_bits), half)
    if cell_bits > 1:
        raise CrossbarError(
            f"two's complement weights need cells of one bit, not {cell_bits}: the level of the top cell "
            f"cannot count its upper bit as -{half} and the others as positive; use offset or differential"
        )
    levels, weight = _cut(weights & (2 * half - 1), bits, 1)
    weight[-1] = -half
    return Slices(levels, weight, 0)


def input_planes(inputs: Int64, bits: int, arithmetic: ArithmeticModel) -> Planes:
    """The bit-planes of a batch, the least significant first; of ``two_pass``, first all positive inputs.

    Args: inputs: (batch, rows); bits: of an input.
    Raises: CrossbarError: when an input is out of range.
    """
    coding = arithmetic.inputs
    half = 2 ** (bits - 1)
    if coding == "unsigned":
        _check_range(inputs, 0, 2 * half - 1, f"inputs of {bits} bits, {_WORDS[coding]}")
        return Planes(*_planes(inputs, bits), bipolar=False)
    if coding == "twos_complement":
        _check_range(inputs, -half, half - 1, f"inputs of {bits} bits, {_WORDS[coding]}")
        planes, weight = _planes(inputs & (2 * half - 1), bits)
        weight[-1] = -half
        return Planes(planes, weight, bipolar=False)
    magnitude_bits = max(bits - 1, 1)
    top = 2**magnitude_bits - 1
    _check_range(inputs, -top, top, f"inputs of {bits} bits, {_WORDS[coding]}")
    if coding == "sign_magnitude":
        planes, weight = _planes(np.abs(inputs), magnitude_bits)
        return Planes(planes * np.sign(inputs).astype(np.int8), weight, bipolar=True)
    positive, weight = _planes(np.maximum(inputs, 0), magnitude_bits)
    negative, _ = _planes(np.maximum(-inputs, 0), magnitude_bits)
    return Planes(np.concatenate([positive, negative]), np.concatenate([weight, -weight]), bipolar=False)


def integer_batch(inputs: NDArray[Any], rows: int) -> Int64:
    """(batch, rows) int64 of a batch of vectors, or of one vector.

    Raises: CrossbarError: when the shape is another, or the numbers are not whole.
    """
    given = as_array(inputs, "inputs")
    if given.ndim == 1:
        given = given[np.newaxis]
    if given.ndim != 2 or given.shape[1] != rows:
        raise CrossbarError(
            f"inputs have the shape {np.shape(inputs)}; "
            f"a matrix of {rows} rows takes ({rows},) or (batch, {rows})"
        )
    if not np.issubdtype(given.dtype, np.integer):
        raise CrossbarError(
            f"inputs are {given.dtype}; an array takes whole numbers: quantise them, or use multiply_real"
        )
    return _int64(given, "inputs")


def real_matrix(matrix: NDArray[Any], what: str) -> NDArray[Any]:
    """A matrix of finite numbers, integers or real.

    Args: what: it is, for messages.
    Raises: CrossbarError: when it is anything else.
    """
    given = as_array(matrix, what)
    if given.ndim != 2 or not given.size:
        raise CrossbarError(
            f"{what} has the shape {given.shape}; it must have rows and columns, at least one each"
        )
    if not (np.issubdtype(given.dtype, np.integer) or np.issubdtype(given.dtype, np.floating)):
        raise CrossbarError(f"{what} is {given.dtype}; it must be of integers or real numbers")
    bad = np.argwhere(~np.isfinite(given))
    if len(bad):
        row, column = bad[0]
        raise CrossbarError(
            f"{what} holds {given[row, column]} at row {row}, column {column} ({len(bad)} such in all); "
            "numbers must be finite"
        )
    return given


def _cut(values: Int64, bits: int, cell_bits: int) -> tuple[NDArray[np.uint8], Int64]:
    """(slices, rows, columns) levels of values of 0 to 2^bits - 1, and what each slice counts."""
    shifts = np.arange(0, bits, cell_bits, dtype=np.int64)
    levels = np.empty((len(shifts), *values.shape), dtype=np.uint8)
    for slice_, shift in zip(levels, shifts, strict=True):
        slice_[:] = (values >> shift) & (2**cell_bits - 1)
    return levels, np.int64(1) << shifts


def _planes(values: Int64, bits: int) -> tuple[NDArray[np.int8], Int64]:
    """(reads, batch, rows) bits of values of 0 to 2^bits - 1, and what each read counts."""
    levels, weight = _cut(values, bits, 1)
    return levels.astype(np.int8), weight


def as_array(given: ArrayLike, what: str) -> NDArray[Any]:
    """What is given, as an array of any shape and type.

    Raises: CrossbarError: when its rows have different lengths.
    """
    try:
        return np.asarray(given)
    except ValueError as error:
        raise CrossbarError(f"{what} cannot be made an array: {error}") from error


def _int64(given: NDArray[Any], what: str) -> Int64:
    """The same integers, of which some of a uint64 would turn negative unnoticed."""
    most = int(given.max(initial=0))
    if most > np.iinfo(np.int64).max:
        raise CrossbarError(f"{what}: {most} is too large: no coding carries more than 16 bits")
    return given.astype(np.int64)


def _check_range(values: Int64, lowest: int, highest: int, what: str) -> None:
    least, most = int(values.min(initial=0)), int(values.max(initial=0))
    if least < lowest or most > highest:
        raise CrossbarError(f"{what}: the values {least} to {most} go beyond {lowest} to {highest}")
