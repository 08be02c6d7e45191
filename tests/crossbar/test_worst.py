"""The worst matrices: what ``clip`` loses on them, and that ``flip`` loses nothing on any."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases import Case
from hypothesis import given
from hypothesis import strategies as st

from archsim.crossbar.adc import Converter
from archsim.crossbar.cells import block_sums, store
from archsim.crossbar.coding import Planes, Slices
from archsim.crossbar.packed_kernel import packed_product
from archsim.crossbar.product import lossless_columns

ROWS = 64
BITS = {1: 6, 2: 7}
"""Of HyFlexPIM's converter, by bits of a cell."""


def case(cell_bits: int, range_: str, inputs: str = "twos_complement") -> Case:
    """All weights in cells of so many bits, with the converter that the paper has for them."""
    share = 1.0 if cell_bits == 1 else 0.0
    return Case(inputs=inputs, range_=range_, share=share, cell_bits=max(cell_bits, 2))


@pytest.mark.parametrize(
    ("cell_bits", "computed", "percent"),
    [
        # 64 weights of 127 are 255 stored: all cells at the top, in all 8 slices. A read of x = 127 (or -1)
        # in all rows sums to 64 on each SLC bitline, and the top code is 63:
        # (63 / 64 x 255 - 128) / 127 = 0.9686 of the product, 3 % too little.
        (1, 63 / 64 * 255 - 128, 3),
        # 192 on each MLC bitline, and the top code is 127: (127 / 192 x 255 - 128) / 127 = 0.320, 68 %
        (2, 127 / 192 * 255 - 128, 68),
    ],
)
@pytest.mark.parametrize("value", [127, -1, 1])
def test_clip_saturates_where_weights_are_equal(
    cell_bits: int, computed: float, percent: int, value: int
) -> None:
    weights = np.full((2 * ROWS, 3), 127)
    inputs = np.full((2, 2 * ROWS), value)
    found = case(cell_bits, "clip").crossbar().program(weights).multiply(inputs)
    exact = 127 * value * 2 * ROWS
    # the driven bits of x saturate in every slice, column and block; the others are 0
    ones = {127: 7, -1: 8, 1: 1}[value]
    assert found.saturated == ones * (8 // cell_bits) * 3 * 2 * 2
    assert found.conversions == 8 * (8 // cell_bits) * 3 * 2 * 2
    assert (found.values == round(computed * value * 2 * ROWS)).all()
    assert round(100 * abs(found.values[0, 0] - exact) / abs(exact)) == percent


@pytest.mark.parametrize("cell_bits", [1, 2])
def test_what_a_conversion_loses_at_most_under_clip(cell_bits: int) -> None:
    """The full sum less the top code, which matrices of equal weights reach in all conversions."""
    full = ROWS * (2**cell_bits - 1)
    sums = np.arange(full + 1)
    values, saturated = Converter(0, 2 ** BITS[cell_bits] - 1).convert(sums)
    assert (sums - values).max() == full - (2 ** BITS[cell_bits] - 1) == {1: 1, 2: 65}[cell_bits]
    assert saturated.sum() == full - (2 ** BITS[cell_bits] - 1)


# --- flip: whatever stands in a column, its sums fit the codes


@pytest.mark.parametrize("cell_bits", [1, 2])
def test_flip_is_lossless_for_every_sum_of_levels(cell_bits: int) -> None:
    """One column for each sum that up to 64 cells can have: none exceeds half of the full sum.

    A bitline's largest sum is that of all its cells, and depends on no more than their total; so this is
    every column there is, of every height.
    """
    top, codes = 2**cell_bits - 1, 2 ** BITS[cell_bits] - 1
    largest = 0
    for height in range(1, ROWS + 1):
        levels = columns_of_every_sum(height, top)
        cells = store(Slices(levels, np.array([1]), 0), cell_bits, ROWS, None, flip=True)
        largest = max(largest, int(cells.largest_sums().max()))
        assert lossless_columns(cells, Converter(0, codes), bipolar=False).all()
        flipped = 2 * np.arange(height * top + 1) > height * top
        assert (cells.flipped[0, 0] == flipped).all()
    # 32 and 96: 6 b hold 63, 7 b hold 127
    assert largest == ROWS * top // 2 <= codes


def columns_of_every_sum(height: int, top: int) -> Any:
    """(1, height, height * top + 1) levels: the column s adds up to s."""
    sums = np.arange(height * top + 1)
    rows = np.arange(height)[:, np.newaxis]
    return np.clip(sums - rows * top, 0, top)[np.newaxis].astype(np.uint8)


@pytest.mark.parametrize("cell_bits", [1, 2])
@pytest.mark.parametrize("bits", [0, 1])
def test_conversions_agree_that_flip_is_lossless(cell_bits: int, bits: int) -> None:
    """The kernel that converts every sum, on all sums of levels, with all wordlines driven, or none."""
    top = 2**cell_bits - 1
    levels = columns_of_every_sum(ROWS, top)
    cells = store(Slices(levels, np.array([1]), 0), cell_bits, ROWS, None, flip=True)
    planes = Planes(np.full((1, 1, ROWS), bits, dtype=np.int8), np.array([1]), bipolar=False)
    values, saturated = packed_product(planes, cells, Converter(0, 2 ** BITS[cell_bits] - 1))
    assert saturated == 0
    assert values.tolist() == [(bits * np.arange(ROWS * top + 1)).tolist()]


def worst() -> dict[str, Any]:
    """(130, 2) weights of 8 b, of which 130 = 2 x 64 + 2 rows."""
    alternating = np.where(np.arange(130) % 2, 127, -128)
    return {
        "largest": np.full((130, 2), 127),
        "smallest": np.full((130, 2), -128),
        "minus one": np.full((130, 2), -1),
        "zero": np.zeros((130, 2), dtype=np.int64),
        "alternating rows": np.column_stack([alternating, -1 - alternating]),
        "alternating columns": np.tile([127, -128], (130, 1)),
        "half and half": np.where(np.arange(130)[:, np.newaxis] % 64 < 32, 127, -128) * np.ones((1, 2), int),
        "one more than half": np.where(np.arange(130)[:, np.newaxis] % 64 < 33, 127, -128)
        * np.ones((1, 2), int),
        "one bit": np.full((130, 2), 0x55),
        "the other bit": np.full((130, 2), -0x56),
    }


@pytest.mark.parametrize("name", worst())
@pytest.mark.parametrize("cell_bits", [1, 2])
@pytest.mark.parametrize("inputs", ["twos_complement", "unsigned", "two_pass"])
def test_flip_is_exact_on_the_worst_matrices(name: str, cell_bits: int, inputs: str) -> None:
    options = case(cell_bits, "flip", inputs)
    weights, (least, most) = worst()[name], options.input_range()
    vectors = [least, most, -1 if least else 1, 0, 0x55]
    batch = np.array([[value] * 130 for value in vectors] + [[least, most] * 65])
    found = options.crossbar().program(weights).multiply(batch)
    assert found.saturated == 0
    assert found.values.dtype == np.int64
    assert (found.values == batch @ weights).all()
    assert (found.values == options.expected(weights, batch).values).all()


@given(
    st.integers(1, 2),
    st.lists(st.integers(-128, 127), min_size=1, max_size=130),
    st.lists(st.integers(-128, 127), min_size=1, max_size=130),
)
def test_flip_is_exact_on_any_column(cell_bits: int, weights: list[int], inputs: list[int]) -> None:
    """Hypothesis looks for a column and a vector for which it is not."""
    rows = min(len(weights), len(inputs))
    matrix, vector = np.array([weights[:rows]]).T, np.array([inputs[:rows]])
    found = case(cell_bits, "flip").crossbar().program(matrix).multiply(vector)
    assert found.saturated == 0
    assert (found.values == vector @ matrix).all()


def test_flip_is_one_code_short_with_bipolar_wordlines() -> None:
    """Sums of -32 to 32 where 6 b have the codes -32 to 31: half of the rows at 127, the others empty."""
    options = case(1, "flip", "sign_magnitude")
    weights = np.where(np.arange(ROWS)[:, np.newaxis] < 32, 127, -128)
    found = [
        options.crossbar().program(weights).multiply(np.full((1, ROWS), value)).saturated
        for value in (127, -127)
    ]
    # 7 bits of the magnitude times 8 slices
    assert found == [56, 0]


def test_a_step_of_64_63_is_a_gain_error_that_offset_coding_amplifies() -> None:
    """Weights of 0 are 128 stored, one slice full of ones; its sum of 64 is the code 63, exact.

    With 32 ones driven, 32 / (64 / 63) = 31.5 becomes the code 32, which stands for 32.5: half a level
    times 128 is an error of 65 where the product is 0 (32 / 63 x 128, derived).
    """
    options = case(1, "full_scale")
    vectors = np.stack([np.ones(ROWS, dtype=np.int64), np.arange(ROWS) % 2])
    found = options.crossbar().program(np.zeros((ROWS, 1), dtype=np.int64)).multiply(vectors)
    assert found.values[:, 0] == pytest.approx([0, 128 * (32 * 64 / 63 - 32)])
    assert found.values[1, 0] == pytest.approx(65.0, abs=0.1)


def test_differential_weights_of_one_sign_fill_half_of_the_cells() -> None:
    """All weights equal to 127: the negative cells are empty, the positive ones full; flip is exact again."""
    options = Case("differential", range_="flip", share=1.0)
    weights, batch = np.full((ROWS, 1), 127), np.full((1, ROWS), 127)
    piece = options.crossbar().program(weights).pieces[0]
    assert block_sums(piece.cells.levels, ROWS).max() == 0  # stored complemented
    assert piece.cells.flipped[0, :, 0].tolist() == [True] * 7 + [False] * 7
    found = options.crossbar().program(weights).multiply(batch)
    assert (found.values.tolist(), found.saturated) == ([[127 * 127 * ROWS]], 0)
