"""Programming a matrix: its lines of SLC and MLC, scales, seeds, samples, and what cannot be programmed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import PRESET, Case, machine
from hypothesis import given
from hypothesis import strategies as st

import archsim
from archsim.crossbar.program import Crossbar, seed_numbers, slc_lines
from archsim.errors import ArchsimError, CrossbarError
from archsim.parts.arithmetic import NoiseModel


def message(call: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(CrossbarError) as error:
        call(*arguments, **options)
    return str(error.value)


WEIGHTS = np.array([[1, -2, 3], [4, 5, -6]])


# --- the machine


def test_a_machine_says_how_its_arrays_compute() -> None:
    """The preset: 5 % SLC, offset coding, two's complement inputs, 64 rows, 6 and 7 b, clip."""
    crossbar = Crossbar.of(machine())
    assert (crossbar.slc_rate, crossbar.weight_bits, crossbar.input_bits) == (0.05, 8, 8)
    pieces = crossbar.program(np.zeros((70, 41), dtype=np.int64)).pieces
    # 5 % of 41 columns are 2.05, so 3
    assert [(piece.mode, piece.cells.levels.shape) for piece in pieces] == [
        ("slc", (8, 70, 3)),
        ("mlc", (4, 70, 38)),
    ]
    assert [piece.converter.highest for piece in pieces] == [63, 127]
    assert [piece.offset for piece in pieces] == [128, 128]
    assert {piece.cells.block_rows for piece in pieces} == {64}


def test_settings_of_the_yaml_change_the_arithmetic() -> None:
    crossbar = Crossbar.of(
        machine(
            "pu.parts.analog.cell.bits=4",
            "pu.parts.analog.adc.range=flip",
            "pu.parts.analog.adc.bits.mlc=9",
            "pu.parts.analog.arithmetic.weights=differential",
            "pu.parts.analog.array.rows=32",
            "pu.parts.analog.array.wordlines_per_access=8",
            "mapping.slc_rate=0",
        )
    )
    (piece,) = crossbar.program(np.full((40, 2), 127)).pieces
    # 7 bits of a magnitude take two cells of 4 bits
    assert piece.cells.levels.shape == (4, 40, 2)
    assert (piece.cells.cell_bits, piece.cells.block_rows, piece.cells.access_rows) == (4, 32, 8)
    assert piece.cells.flipped.any()
    assert (piece.offset, piece.converter.highest) == (0, 511)


def test_a_machine_without_analog_arrays() -> None:
    none = replace(machine(), parts={**machine().parts, "analog": machine().parts["digital"]})
    assert message(Crossbar.of, none) == (
        f"{PRESET}: mapping.linear: 'analog' has no analog arrays whose arithmetic could be computed"
    )


def test_twos_complement_in_cells_of_two_bits_is_an_error_of_the_yaml(root: Path) -> None:
    with pytest.raises(ArchsimError) as error:
        archsim.load_hardware(
            root / "hwconfigs/hyflexpim.yaml", ["pu.parts.analog.arithmetic.weights=twos_complement"]
        )
    assert str(error.value) == (
        "--set pu.parts.analog.arithmetic.weights=twos_complement: pu.parts.analog: arithmetic.weights: "
        "twos_complement needs cells of one bit, not cell.bits = 2: the level of the top cell cannot count "
        "its upper bit as -2 and the others as positive; use offset or differential"
    )


def test_twos_complement_in_cells_of_two_bits_is_an_error_of_the_matrix() -> None:
    case = Case("twos_complement", cell_bits=2)
    assert message(case.crossbar().program, WEIGHTS, slc=0.5) == (
        "two's complement weights need cells of one bit, not 2: the level of the top cell cannot count its "
        "upper bit as -128 and the others as positive; use offset or differential"
    )
    # all SLC, it works
    assert case.crossbar().program(WEIGHTS, slc=1).multiply(np.array([1, -1])).values.tolist() == [
        [-3, -7, 9]
    ]


# --- SLC and MLC


@pytest.mark.parametrize(
    ("share", "lines", "count"),
    # ceil(share x lines); 0.05 x 20 is one line, whatever binary numbers make of it
    [(0.0, 7, 0), (1.0, 7, 7), (0.05, 20, 1), (0.05, 21, 2), (0.3, 10, 3), (0.7, 10, 7), (1, 3, 3)],
)
def test_a_share_of_the_lines(share: float, lines: int, count: int) -> None:
    assert slc_lines(lines, share).tolist() == [True] * count + [False] * (lines - count)


@given(
    st.integers(1, 3), st.lists(st.booleans(), min_size=1, max_size=9), st.sampled_from(["rows", "columns"])
)
def test_any_choice_of_lines_gives_the_same_product(other: int, mask: list[bool], split: Any) -> None:
    """The cells hold the same numbers; where nothing is lost, the modes are a matter of cost alone."""
    shape = (len(mask), other) if split == "rows" else (other, len(mask))
    case = Case(range_="flip")
    weights, inputs = case.random(2, *shape)
    programmed = case.crossbar().program(weights, split=split, slc=np.array(mask))
    assert {piece.mode for piece in programmed.pieces} == {"slc" if line else "mlc" for line in mask}
    assert (programmed.multiply(inputs).values == inputs @ weights).all()
    assert (programmed.exact(inputs) == inputs @ weights).all()


@pytest.mark.parametrize(
    ("slc", "told"),
    [
        (np.array([True, False]), "slc has the shape (2,) of bool; it must be (3,) of bool"),
        ([True, False, True, True], "slc has the shape (4,) of bool; it must be (3,) of bool"),
        (np.array([1, 0, 1]), "slc has the shape (3,) of int64; it must be (3,) of bool"),
        (np.ones((3, 1), dtype=bool), "slc has the shape (3, 1) of bool; it must be (3,) of bool"),
        (True, "slc has the shape () of bool; it must be (3,) of bool"),
        (1.5, "slc is 1.5; a share must be 0 to 1"),
        (-0.1, "slc is -0.1; a share must be 0 to 1"),
        (np.nan, "slc is nan; a share must be 0 to 1"),
        ("half", "slc is 'half'; a share must be 0 to 1"),
    ],
)
def test_what_is_no_choice_of_lines(slc: Any, told: str) -> None:
    assert message(Case().crossbar().program, WEIGHTS, slc=slc) == told


def test_lines_are_rows_or_columns() -> None:
    assert message(Case().crossbar().program, WEIGHTS, split="ranks") == (
        "split is 'ranks'; it must be 'rows' or 'columns'"
    )


# --- widths


@pytest.mark.parametrize(
    ("widths", "told"),
    [
        ((1, 8), "weight_bits is 1; it must be 2 to 16"),
        ((17, 8), "weight_bits is 17; it must be 2 to 16"),
        ((8, 0), "input_bits is 0; it must be 1 to 16"),
        ((8, 17), "input_bits is 17; it must be 1 to 16"),
    ],
)
def test_widths_out_of_range(widths: tuple[int, int], told: str) -> None:
    assert message(Crossbar.of(machine(), *widths).program, WEIGHTS) == told


@given(st.integers(2, 16), st.integers(1, 16), st.integers(1, 4), st.sampled_from(["offset", "differential"]))
def test_widths_other_than_8_are_exact(
    weight_bits: int, input_bits: int, cell_bits: int, coding: str
) -> None:
    case = Case(
        coding,
        range_="flip",
        cell_bits=cell_bits,
        mlc_adc=10,
        weight_bits=weight_bits,
        input_bits=input_bits,
    )
    weights, inputs = case.random(2, 70, 4)
    product = case.crossbar().program(weights).multiply(inputs)
    assert (product.values == inputs @ weights).all()
    assert product.saturated == 0


@pytest.mark.parametrize(("operand_bits", "widths"), [(32, (8, 8)), (16, (16, 8)), (16, (8, 16))])
def test_operands_of_other_bits_than_the_arrays_take(operand_bits: int, widths: tuple[int, int]) -> None:
    changed = machine(f"pu.parts.analog.arithmetic.operand_bits={operand_bits}", "mapping.slc_rate=1")
    assert message(Crossbar.of(changed, *widths).program, WEIGHTS) == (
        f"arithmetic.operand_bits is {operand_bits}: the arrays take every number as so many bits, and no "
        f"weights of {widths[0]} or inputs of {widths[1]}"
    )


def test_operands_of_the_bits_that_the_arrays_take() -> None:
    changed = machine("pu.parts.analog.arithmetic.operand_bits=16", "pu.parts.analog.adc.range=flip")
    assert Crossbar.of(changed, 16, 16).program(WEIGHTS).exact(np.array([1, 1])).tolist() == [[5, 3, -3]]


def test_a_weight_wider_than_a_row() -> None:
    crossbar = Crossbar.of(machine("pu.parts.analog.array.columns=7"))
    assert message(crossbar.program, WEIGHTS) == (
        "weights of 8 bits take 8 SLC cells of a row each, and a row has 7: 1 short"
    )


# --- real numbers


@pytest.mark.parametrize("scales", ["per_channel", "per_tensor"])
@pytest.mark.parametrize("inputs", ["twos_complement", "unsigned", "sign_magnitude", "two_pass"])
def test_real_numbers_are_quantised_and_scaled_back(scales: str, inputs: str) -> None:
    """Against the definition: the nearest of 127 steps of the largest magnitude (255 where unsigned)."""
    case = Case(inputs=inputs, scales=scales, slc_adc=8, mlc_adc=8)
    draw = np.random.default_rng(3)
    matrix, batch = draw.standard_normal((30, 5)) * [1, 2, 3, 4, 5], draw.standard_normal((4, 30))
    batch = np.abs(batch) if inputs == "unsigned" else batch
    step = np.abs(matrix).max(axis=0 if scales == "per_channel" else None) / 127
    of_input = np.abs(batch).max() / (255 if inputs == "unsigned" else 127)
    expected = (np.rint(batch / of_input) @ np.rint(matrix / step)) * (step * of_input)
    assert case.crossbar().program(matrix).multiply_real(batch) == pytest.approx(expected)
    # and not far from the product of the real numbers
    assert expected == pytest.approx(batch @ matrix, abs=0.05 * np.abs(batch @ matrix).max())


def test_real_inputs_that_cannot_be_taken() -> None:
    programmed = Case().crossbar().program(WEIGHTS)
    assert message(programmed.multiply_real, np.array([1.0, np.nan])) == (
        "a batch of inputs holds nan at row 0, column 1 (1 such in all); numbers must be finite"
    )
    assert message(programmed.multiply_real, np.ones((2, 3))) == (
        "inputs have the shape (2, 3); a matrix of 2 rows takes (2,) or (batch, 2)"
    )
    assert message(programmed.multiply_real, [[1.0], [1.0, 2.0]]).startswith(
        "a batch of inputs cannot be made an array: "
    )
    unsigned = Case(inputs="unsigned").crossbar().program(WEIGHTS)
    assert message(unsigned.multiply_real, np.array([1.0, -2.0])) == (
        "a batch of inputs holds -2, and arithmetic.inputs: unsigned carries no sign: use twos_complement, "
        "sign_magnitude or two_pass"
    )


def test_inputs_that_cannot_be_taken() -> None:
    programmed = Case().crossbar().program(WEIGHTS)
    assert message(programmed.multiply, np.array([1, 200])) == (
        "inputs of 8 bits, two's complement: the values 0 to 200 go beyond -128 to 127"
    )
    assert message(programmed.multiply, np.array([1, 2, 3])) == (
        "inputs have the shape (3,); a matrix of 2 rows takes (2,) or (batch, 2)"
    )
    assert message(programmed.multiply, np.array([0.5, 1])) == (
        "inputs are float64; an array takes whole numbers: quantise them, or use multiply_real"
    )


# --- samples


def test_only_a_calibrated_converter_looks_at_samples() -> None:
    samples = np.full((1, 2), 3)
    assert Case().crossbar().program(WEIGHTS, samples=samples).pieces[0].converter.zero == 0
    piece = Case(range_="calibrated", share=1.0).crossbar().program(WEIGHTS, samples=samples).pieces[0]
    # the bits 0 and 1 of 3 drive both rows: the most significant cells of 129, 126, 131 and 132, 133, 122
    # hold 1, 0, 1 and 1, 1, 0. From no wordline (bits 2 to 7), 0, to two cells, 2.
    assert (piece.converter.zero, piece.converter.step) == (0, 1)


@pytest.mark.parametrize(
    ("samples", "told"),
    [
        (
            None,
            "adc.range: calibrated needs sample inputs when a matrix is programmed: give samples, or use "
            "clip, flip or full_scale",
        ),
        (
            np.empty((0, 2), dtype=np.int64),
            "adc.range: calibrated needs sample inputs when a matrix is programmed: give samples, or use "
            "clip, flip or full_scale",
        ),
        (np.ones((1, 3), int), "inputs have the shape (1, 3); a matrix of 2 rows takes (2,) or (batch, 2)"),
        (
            np.full((1, 2), 128),
            "inputs of 8 bits, two's complement: the values 0 to 128 go beyond -128 to 127",
        ),
    ],
)
def test_samples_that_cannot_be_taken(samples: Any, told: str) -> None:
    assert message(Case(range_="calibrated").crossbar().program, WEIGHTS, samples=samples) == told


def test_samples_that_a_stated_step_cannot_hold() -> None:
    crossbar = Case(range_="calibrated", step=1.0, slc_adc=3, share=1.0).crossbar()
    # w = -1 stores 127: 64 ones in seven slices
    assert message(crossbar.program, np.full((64, 1), -1), samples=np.ones((1, 64), int)) == (
        "adc.step_levels: 8 codes of 1 levels cannot hold the sums of the samples, 0 to 64: 9.14286 levels a "
        "code would, or more bits"
    )


# --- seeds


def noisy() -> Crossbar:
    """Cells that deviate; enough bits that the deviations are seen."""
    case = Case(step=0.25, slc_adc=10, mlc_adc=10).crossbar()
    noise = NoiseModel.model_validate({"write": {"kind": "gaussian_additive", "sigma": 0.3}})
    return replace(case, model=case.model.model_copy(update={"noise": noise}))


def test_a_seed_decides_what_is_written() -> None:
    weights, inputs = Case().random(3, 64, 8)
    once, again, other = (noisy().program(weights, seed=seed).multiply(inputs).values for seed in (1, 1, 2))
    assert (once == again).all()
    assert (once != other).any()
    several = noisy().program(weights, seed=(1, 2)).multiply(inputs).values
    assert (several != once).any()


def test_modes_deviate_differently_though_their_cells_are_alike() -> None:
    """An MLC of one bit: the same matrix in both modes, with other deviations."""
    crossbar = replace(
        noisy(), model=noisy().model.model_copy(update={"cell": Case(cell_bits=1).crossbar().model.cell})
    )
    slc, mlc = (crossbar.program(WEIGHTS, slc=share).pieces[0].cells for share in (1, 0))
    assert (slc.levels == mlc.levels).all()
    assert (slc.conductance != mlc.conductance).all()


@pytest.mark.parametrize("seed", [-1, 0.5, True, "one", (1, -2)])
def test_what_is_no_seed(seed: Any) -> None:
    told = f"seed is {seed!r}; it must be a whole number from 0, or several"
    assert message(seed_numbers, seed) == told
    assert message(Case().crossbar().program, WEIGHTS, seed=seed) == told
    assert message(Case().crossbar().program(WEIGHTS).multiply, np.ones(2, int), seed=seed) == told


def test_a_seed_is_one_number_or_several() -> None:
    assert seed_numbers(3) == (3,)
    assert seed_numbers(np.int64(3)) == (3,)
    assert seed_numbers([1, 2]) == (1, 2)
