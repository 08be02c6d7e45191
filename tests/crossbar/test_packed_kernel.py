"""Products of exact cells against sums and conversions in plain NumPy, exact to the integer."""

from __future__ import annotations

import numpy as np
import pytest
from conversions import expected, random_cells, random_planes
from hypothesis import example, given, settings
from hypothesis import strategies as st

from archsim.crossbar import packed_kernel
from archsim.crossbar.adc import Converter
from archsim.crossbar.cells import Cells
from archsim.crossbar.coding import Planes
from archsim.crossbar.packed_kernel import packed_product
from archsim.crossbar.words import words_of_reads


def check(planes: Planes, cells: Cells, converter: Converter) -> np.ndarray:
    values, saturated = packed_product(planes, cells, converter)
    wanted, beyond = expected(planes, cells, converter)
    if values.dtype == np.int64:
        np.testing.assert_array_equal(values, wanted)
    else:
        np.testing.assert_allclose(values, wanted, rtol=1e-12, atol=1e-9)
    assert saturated == beyond
    return values


def test_by_hand() -> None:
    # Rows 1, 1, 1 with levels 3, 2, 1: the sum is 6, and 3 bits hold it; 2 bits keep 3 of it.
    planes = Planes(np.ones((1, 1, 3), dtype=np.int8), np.array([1]), False)
    levels = np.array([[[3], [2], [1]]], dtype=np.uint8)
    cells = Cells(levels, np.array([1]), np.zeros((1, 1, 1), dtype=np.bool_), 2, 64, None)
    values, saturated = packed_product(planes, cells, Converter(0, 7))
    assert (values.tolist(), saturated) == ([[6]], 0)
    values, saturated = packed_product(planes, cells, Converter(0, 3))
    assert (values.tolist(), saturated) == ([[3]], 1)


def test_words_hold_the_first_row_in_the_lowest_bit() -> None:
    bits = np.zeros((2, 1, 70), dtype=np.int8)
    bits[0, 0, [0, 63, 64]] = 1
    bits[1, 0, [1, 69]] = -1
    planes = Planes(bits, np.array([1, 2]), True)
    # blocks of 66 rows, two words each; the second block has rows 66 to 69
    words = words_of_reads(planes, 66)
    assert words.shape == (2, 2, 2, 2)
    assert words[0, :, :, 0].tolist() == [[1 | 1 << 63, 1], [0, 0]]
    assert words[1, :, :, 1].tolist() == [[2, 0], [1 << 3, 0]]


@pytest.mark.parametrize("cell_bits", [1, 2, 3, 4])
@pytest.mark.parametrize("bits", [3, 5, 12])
def test_unit_steps_that_start_at_0(cell_bits: int, bits: int) -> None:
    """The loop with the converter in it: 11 blocks are eight at once and three one by one."""
    generator = np.random.default_rng(cell_bits)
    cells = random_cells(generator, (3, 11 * 32 - 5, 70), cell_bits, 32)
    planes = random_planes(generator, 3, 3, 11 * 32 - 5, False)
    assert check(planes, cells, Converter(0, 2**bits - 1)).dtype == np.int64


CONVERTERS = (
    Converter(0, 15),
    Converter(0, 15, rounds=False),
    Converter(2, 12),
    Converter(-8, 7),
    Converter(0, 15, zero=5.0),
    Converter(0, 15, zero=-3.0),
    Converter(0, 15, zero=2.5),
    Converter(0, 15, step=6.0),
    Converter(-16, 15, step=64 / 63),
    Converter(0, 31, step=3.7, rounds=False),
    Converter(0, 31, step=2.0, offset_lsb=0.5, gain_error=-0.03),
    Converter(0, 31, step=1.3, zero=-2.6, gain_error=0.01),
    Converter(0, 31, inl_lsb=(0.0, 0.7, -0.5, 0.2)),
    Converter(0, 31, step=1e-9),
)


@pytest.mark.parametrize("bipolar", [False, True])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("converter", CONVERTERS, ids=repr)
def test_any_converter(converter: Converter, flip: bool, bipolar: bool) -> None:
    generator = np.random.default_rng(1)
    for access_rows, ones in ((None, 0.5), (8, 0.05)):
        cells = random_cells(generator, (2, 150, 66), 2, 64, access_rows, flip)
        check(random_planes(generator, 3, 3, 150, bipolar, ones), cells, converter)


def test_codes_on_a_line_are_not_looked_up() -> None:
    """Halves are rounded up though a third has no finite number of bits: sums 3, 9, ... of steps of 6."""
    for converter in CONVERTERS:
        table = packed_kernel._code_table(converter, -200, 200)
        assert packed_kernel._line(converter, table, 200).straight == (
            not converter.inl_lsb and converter.step > 1e-3
        )


@settings(max_examples=60)
@given(
    rows=st.integers(1, 200),
    columns=st.integers(1, 70),
    batch=st.integers(1, 4),
    reads=st.integers(1, 3),
    slices=st.integers(1, 3),
    cell_bits=st.integers(1, 4),
    block_rows=st.sampled_from([1, 7, 63, 64, 65, 128, 130, 65536]),
    bipolar=st.booleans(),
    flip=st.booleans(),
    bits=st.integers(1, 8),
    seed=st.integers(0, 99),
)
@example(1, 1, 1, 1, 1, 1, 64, False, False, 1, 0)
@example(1, 1, 1, 1, 1, 4, 1, True, True, 1, 0)
def test_shapes(
    rows: int,
    columns: int,
    batch: int,
    reads: int,
    slices: int,
    cell_bits: int,
    block_rows: int,
    bipolar: bool,
    flip: bool,
    bits: int,
    seed: int,
) -> None:
    generator = np.random.default_rng(seed)
    cells = random_cells(generator, (slices, rows, columns), cell_bits, block_rows, None, flip)
    planes = random_planes(generator, reads, batch, rows, bipolar)
    half = 2 ** (bits - 1)
    check(planes, cells, Converter(-half, half - 1) if bipolar else Converter(0, 2 * half - 1))


@pytest.mark.parametrize("block_rows", [64, 100])
def test_any_number_of_threads(block_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(2)
    cells = random_cells(generator, (2, 200, 150), 2, block_rows)
    planes = random_planes(generator, 2, 9, 200, False)
    monkeypatch.setattr(packed_kernel, "JOB_CONVERSIONS", 1)
    answers = []
    for threads in (1, 2, 5):
        monkeypatch.setattr(packed_kernel, "threads", lambda number=threads: number)
        answers.append(check(planes, cells, Converter(0, 63)))
    assert all(np.array_equal(answers[0], answer) for answer in answers)
