"""Quantisation, slices and bit-planes by hand, and back to the numbers that they stand for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases import Case
from hypothesis import given
from hypothesis import strategies as st

from archsim.crossbar.coding import input_planes, integer_batch, quantise, slice_weights
from archsim.errors import CrossbarError
from archsim.parts.arithmetic import ArithmeticModel

WEIGHTS = ("offset", "differential", "twos_complement")
INPUTS = ("twos_complement", "unsigned", "sign_magnitude", "two_pass")


def message(call: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(CrossbarError) as error:
        call(*arguments, **options)
    return str(error.value)


# --- quantise


def test_a_scale_for_each_column_or_for_all() -> None:
    matrix = np.array([[1.0, -254.0, 0.0], [-0.5, 127.0, 0.0]])
    # 127 of 8 b stand for the largest magnitude: 1 in the first column, 254 in the second; rint(-63.5) = -64
    each = quantise(matrix, 8, "per_channel")
    assert each.values.tolist() == [[127, -127, 0], [-64, 64, 0]]
    assert each.scale == pytest.approx([1 / 127, 2.0, 1.0])
    one = quantise(matrix, 8, "per_tensor")
    assert one.values.tolist() == [[0, -127, 0], [0, 64, 0]]
    assert one.scale == pytest.approx([2.0])


def test_integers_stay_as_they_are() -> None:
    same = quantise(np.array([[3, -300]], dtype=np.int16), 8, "per_channel")
    assert (same.values.tolist(), same.values.dtype, same.scale.tolist()) == ([[3, -300]], np.int64, [1.0])


def test_unsigned_numbers_use_all_codes() -> None:
    found = quantise(np.array([[0.0, 1.0, 0.2]]), 8, "per_tensor", signed=False)
    assert found.values.tolist() == [[0, 255, 51]]


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.longdouble])
def test_real_numbers_of_any_width(kind: Any) -> None:
    found = quantise(np.array([[3.0], [-1.5]], dtype=kind), 8, "per_tensor")
    assert found.values.tolist() == [[127], [-64]]
    assert found.scale.dtype == np.float64


def test_numbers_too_small_to_scale_are_zero() -> None:
    """5e-324 / 127 is no number; what cannot be told from 0 is 0."""
    found = quantise(np.array([[5e-324]]), 8, "per_tensor")
    assert (found.values.tolist(), found.scale.tolist()) == ([[0]], [1.0])


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=12),
    st.integers(2, 16),
    st.sampled_from(["per_channel", "per_tensor"]),
)
def test_quantised_numbers_are_half_a_step_off_at_most(numbers: list[float], bits: int, scales: Any) -> None:
    matrix = np.array([numbers, numbers[::-1]])
    found = quantise(matrix, bits, scales)
    assert np.abs(found.values).max() <= 2 ** (bits - 1) - 1
    assert (np.abs(found.values * found.scale - matrix) <= found.scale * (0.5 + 1e-9)).all()


@pytest.mark.parametrize(
    ("matrix", "told"),
    [
        (np.zeros((0, 3)), "has the shape (0, 3); it must have rows and columns, at least one each"),
        (np.zeros((3, 0)), "has the shape (3, 0); it must have rows and columns, at least one each"),
        (np.zeros(3), "has the shape (3,); it must have rows and columns, at least one each"),
        (np.zeros((1, 2, 3)), "has the shape (1, 2, 3); it must have rows and columns, at least one each"),
        (3.0, "has the shape (); it must have rows and columns, at least one each"),
        (np.array([["a"]]), "is <U1; it must be of integers or real numbers"),
        (np.array([[1j]]), "is complex128; it must be of integers or real numbers"),
        (np.array([[True]]), "is bool; it must be of integers or real numbers"),
        (np.array([[None]]), "is object; it must be of integers or real numbers"),
        (
            np.array([[0, np.nan], [np.inf, 0]]),
            "holds nan at row 0, column 1 (2 such in all); numbers must be finite",
        ),
        (
            np.array([[2**64 - 1]], dtype=np.uint64),
            ": 18446744073709551615 is too large: no coding carries more than 16 bits",
        ),
    ],
)
def test_what_is_no_matrix(matrix: Any, told: str) -> None:
    what = "a matrix of weights"
    assert message(quantise, matrix, 8, "per_channel") == what + ("" if told[0] == ":" else " ") + told


def test_rows_of_different_lengths() -> None:
    told = message(quantise, [[1, 2], [3]], 8, "per_channel")
    assert told.startswith("a matrix of weights cannot be made an array: ")


def test_unsigned_carries_no_sign() -> None:
    assert message(quantise, np.array([[1.0, -0.25]]), 8, "per_tensor", signed=False, what="a batch") == (
        "a batch holds -0.25, and arithmetic.inputs: unsigned carries no sign: use twos_complement, "
        "sign_magnitude or two_pass"
    )


# --- slices


def slices_of(weight: int, bits: int, cell_bits: int, coding: Any) -> tuple[list[int], list[int], int]:
    found = slice_weights(np.array([[weight]]), bits, cell_bits, ArithmeticModel(weights=coding))
    return found.levels[:, 0, 0].tolist(), found.weight.tolist(), found.offset


@pytest.mark.parametrize(
    ("weight", "bits", "cell_bits", "coding", "expected"),
    [
        # -128 + 128 = 0; 5 + 128 = 0b10_00_01_01; 127 + 128 = 0xFF
        (-128, 8, 2, "offset", ([0, 0, 0, 0], [1, 4, 16, 64], 128)),
        (5, 8, 2, "offset", ([1, 1, 0, 2], [1, 4, 16, 64], 128)),
        (127, 8, 4, "offset", ([15, 15], [1, 16], 128)),
        # the top cell of 3 bits has the two bits that are left: 255 = 0b11_111_111
        (127, 8, 3, "offset", ([7, 7, 3], [1, 8, 64], 128)),
        # 5 = 0b101 in the positive cells; the 7 bits of a magnitude take four cells of 2 bits
        (5, 4, 1, "differential", ([1, 0, 1, 0, 0, 0], [1, 2, 4, -1, -2, -4], 0)),
        (-97, 8, 2, "differential", ([0, 0, 0, 0, 1, 0, 2, 1], [1, 4, 16, 64, -1, -4, -16, -64], 0)),
        # -3 = 0b1101 in 4 bits, of which the top one counts -8
        (-3, 4, 1, "twos_complement", ([1, 0, 1, 1], [1, 2, 4, -8], 0)),
    ],
)
def test_slices(weight: int, bits: int, cell_bits: int, coding: str, expected: Any) -> None:
    assert slices_of(weight, bits, cell_bits, coding) == expected


@given(st.sampled_from(WEIGHTS), st.integers(2, 16), st.integers(1, 4), st.lists(st.integers(), min_size=1))
def test_slices_stand_for_the_weights(coding: Any, bits: int, cell_bits: int, numbers: list[int]) -> None:
    cell_bits = 1 if coding == "twos_complement" else cell_bits
    lowest = -(2 ** (bits - 1)) + (coding == "differential")
    span = 2 ** (bits - 1) - lowest
    weights = np.array([[number % span + lowest for number in numbers]])
    arithmetic = ArithmeticModel(weights=coding)
    found = slice_weights(weights, bits, cell_bits, arithmetic)
    assert found.levels.max() < 2**cell_bits
    assert len(found.levels) == arithmetic.cells_per_weight(bits, cell_bits)
    assert (np.tensordot(found.weight, found.levels, 1) - found.offset == weights).all()


@pytest.mark.parametrize(
    ("weight", "coding", "told"),
    [
        (128, "offset", "weights of 8 bits, offset: the values 0 to 128 go beyond -128 to 127"),
        (-129, "offset", "weights of 8 bits, offset: the values -129 to 0 go beyond -128 to 127"),
        (-128, "differential", "weights of 8 bits, differential: the values -128 to 0 go beyond -127 to 127"),
        (
            200,
            "twos_complement",
            "weights of 8 bits, two's complement: the values 0 to 200 go beyond -128 to 127",
        ),
    ],
)
def test_weights_out_of_range(weight: int, coding: str, told: str) -> None:
    assert message(slices_of, weight, 8, 1, coding) == told


def test_twos_complement_needs_cells_of_one_bit() -> None:
    assert message(slices_of, 1, 8, 2, "twos_complement") == (
        "two's complement weights need cells of one bit, not 2: the level of the top cell cannot count its "
        "upper bit as -128 and the others as positive; use offset or differential"
    )


# --- bit-planes


@pytest.mark.parametrize(
    ("value", "coding", "bits", "weight"),
    [
        # 4 bits: -3 = 0b1101; 13 the same, unsigned; the magnitude of -3 is 0b011
        (-3, "twos_complement", [1, 0, 1, 1], [1, 2, 4, -8]),
        (13, "unsigned", [1, 0, 1, 1], [1, 2, 4, 8]),
        (-3, "sign_magnitude", [-1, -1, 0], [1, 2, 4]),
        (-3, "two_pass", [0, 0, 0, 1, 1, 0], [1, 2, 4, -1, -2, -4]),
        (5, "two_pass", [1, 0, 1, 0, 0, 0], [1, 2, 4, -1, -2, -4]),
    ],
)
def test_planes(value: int, coding: Any, bits: list[int], weight: list[int]) -> None:
    found = input_planes(np.array([[value]]), 4, ArithmeticModel(inputs=coding))
    assert found.bits[:, 0, 0].tolist() == bits
    assert found.weight.tolist() == weight
    assert found.bipolar == (coding == "sign_magnitude")


@given(st.sampled_from(INPUTS), st.integers(1, 16), st.lists(st.integers(), min_size=1, max_size=9))
def test_planes_stand_for_the_inputs(coding: Any, bits: int, numbers: list[int]) -> None:
    lowest, highest = Case(inputs=coding, input_bits=bits).input_range()
    inputs = np.array([[number % (highest - lowest + 1) + lowest for number in numbers]])
    arithmetic = ArithmeticModel(inputs=coding)
    found = input_planes(inputs, bits, arithmetic)
    assert len(found.bits) == arithmetic.reads_per_input(bits)
    assert found.bits.min() >= (-1 if found.bipolar else 0)
    assert (np.tensordot(found.weight, found.bits, 1) == inputs).all()


@pytest.mark.parametrize(
    ("value", "coding", "told"),
    [
        (128, "twos_complement", "two's complement: the values 0 to 128 go beyond -128 to 127"),
        (-1, "unsigned", "unsigned: the values -1 to 0 go beyond 0 to 255"),
        (-128, "sign_magnitude", "sign-magnitude: the values -128 to 0 go beyond -127 to 127"),
        (-128, "two_pass", "two passes: the values -128 to 0 go beyond -127 to 127"),
    ],
)
def test_inputs_out_of_range(value: int, coding: Any, told: str) -> None:
    arithmetic = ArithmeticModel(inputs=coding)
    assert message(input_planes, np.array([[value]]), 8, arithmetic) == f"inputs of 8 bits, {told}"


# --- batches


def test_a_vector_is_a_batch_of_one() -> None:
    assert integer_batch(np.array([1, 2], dtype=np.uint8), 2).tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        (
            np.zeros((2, 4), int),
            "inputs have the shape (2, 4); a matrix of 3 rows takes (3,) or (batch, 3)",
        ),
        (np.zeros(2, int), "inputs have the shape (2,); a matrix of 3 rows takes (3,) or (batch, 3)"),
        (5, "inputs have the shape (); a matrix of 3 rows takes (3,) or (batch, 3)"),
        (
            np.zeros((1, 1, 3), int),
            "inputs have the shape (1, 1, 3); a matrix of 3 rows takes (3,) or (batch, 3)",
        ),
        (
            np.full(3, np.nan),
            "inputs are float64; an array takes whole numbers: quantise them, or use multiply_real",
        ),
        (
            np.array([False, True, True]),
            "inputs are bool; an array takes whole numbers: quantise them, or use multiply_real",
        ),
        (
            np.array([2**63, 0, 0], dtype=np.uint64),
            "inputs: 9223372036854775808 is too large: no coding carries more than 16 bits",
        ),
    ],
)
def test_what_is_no_batch(inputs: Any, told: str) -> None:
    assert message(integer_batch, inputs, 3) == told
