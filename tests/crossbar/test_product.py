"""Products against the oracle: every combination of options, any shape, given conductances."""

from __future__ import annotations

from dataclasses import replace
from itertools import product as combinations
from typing import Any

import numpy as np
import pytest
from cases import Case, with_conductance
from hypothesis import given
from hypothesis import strategies as st

from archsim.crossbar.adc import Converter
from archsim.crossbar.coding import input_planes
from archsim.crossbar.digital import EXACT_BELOW, integer_product
from archsim.crossbar.packed_kernel import packed_product
from archsim.crossbar.product import Product, lossless_columns
from archsim.crossbar.program import Programmed
from archsim.crossbar.reads import as_accesses

WEIGHTS = ("offset", "differential", "twos_complement")
INPUTS = ("twos_complement", "unsigned", "sign_magnitude", "two_pass")
RANGES = ("clip", "flip", "full_scale", "calibrated")


def agree(case: Case, weights: Any, inputs: Any, conductances: dict[str, Any] | None = None) -> None:
    """archsim and the oracle give the same product, conversions and saturated conversions."""
    samples = inputs[:1] if case.range_ == "calibrated" else None
    crossbar = case.crossbar()
    programmed = crossbar.program(weights, split=case.split, samples=samples)  # type: ignore[arg-type]
    if conductances is not None:
        programmed = with_conductance(programmed, conductances)
    found = programmed.multiply(inputs)
    expected = case.expected(weights, inputs, samples, conductances)
    assert found.values.shape == expected.values.shape
    if all(piece.converter.exact for piece in programmed.pieces) and conductances is None:
        assert (found.values == expected.values).all()
    scale = max(1.0, float(np.abs(expected.values).max()))
    assert np.abs(found.values - expected.values).max() <= 1e-9 * scale
    assert (found.conversions, found.saturated) == (expected.conversions, expected.saturated)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("inputs", INPUTS)
@pytest.mark.parametrize("range_", RANGES)
def test_every_combination_of_the_options(weights: str, inputs: str, range_: str) -> None:
    """With cells of 1 to 4 bits, both ways to round and to split, and few wordlines an access or all.

    Blocks of 5 rows, and converters of 2 and 3 bits, so that sums saturate; 7 rows do not divide by 5.
    """
    choices = combinations((1, 2, 3, 4), ("nearest", "floor"), ("columns", "rows"), (None, 2), (None, 1.5))
    for number, (cell_bits, rounding, split, access, step) in enumerate(choices):
        if weights == "twos_complement" and cell_bits > 1:
            continue
        if range_ == "calibrated" and step:
            step = 30.0  # enough for 5 rows of 4-bit cells, 75 levels in 4 codes
        case = Case(
            weights,
            inputs,
            range_=range_,
            step=step,
            rounding=rounding,
            cell_bits=cell_bits,
            slc_adc=2,
            mlc_adc=3,
            rows=5,
            access=access,
            weight_bits=4,
            input_bits=3,
            split=split,
        )
        agree(case, *case.random(2, 7, 2, seed=number))


# Gains, offsets and steps are binary fractions, so that no half is rounded another way by the last bit.
CONVERTERS = st.fixed_dictionaries(
    {
        "range_": st.sampled_from(RANGES[:3]),
        "step": st.sampled_from([None, 0.5, 1.0, 1.25, 2.0, 3.0]),
        "rounding": st.sampled_from(["nearest", "floor"]),
        "offset": st.sampled_from([0.0, 0.25, -1.5, 7.0]),
        "gain": st.sampled_from([0.0, 0.125, -0.0625]),
        "inl": st.sampled_from([(), (0.3,), (0.3, -0.7, 1.2, 0.1), (0.0, 0.0)]),
        "slc_adc": st.integers(1, 8),
        "mlc_adc": st.integers(1, 8),
    }
)
CODINGS = st.fixed_dictionaries(
    {
        "weights": st.sampled_from(WEIGHTS[:2]),
        "inputs": st.sampled_from(INPUTS),
        "cell_bits": st.integers(1, 4),
        "rows": st.sampled_from([1, 2, 7, 63, 64, 65, 130]),
        "access": st.sampled_from([None, 1, 3, 64, 200]),
        "weight_bits": st.sampled_from([2, 3, 8, 9]),
        "input_bits": st.sampled_from([1, 2, 5, 8]),
        "share": st.sampled_from([0.0, 0.3, 0.5, 1.0]),
        "split": st.sampled_from(["rows", "columns"]),
    }
)
SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 140), st.integers(1, 3))


@given(CODINGS, CONVERTERS, SHAPES, st.integers(0, 99))
def test_any_shape_and_converter(
    coding: dict[str, Any], converter: dict[str, Any], shape: tuple[int, int, int], seed: int
) -> None:
    case = Case(**coding, **converter)
    agree(case, *case.random(*shape, seed=seed))


@given(CODINGS, CONVERTERS, SHAPES, st.integers(0, 99))
def test_given_conductances(
    coding: dict[str, Any], converter: dict[str, Any], shape: tuple[int, int, int], seed: int
) -> None:
    """Cells that hold anything: 1e-9, and as many saturated conversions."""
    case = Case(**coding, **converter)
    weights, inputs = case.random(*shape, seed=seed)
    agree(case, weights, inputs, deviating(case, weights, seed))


def deviating(case: Case, weights: Any, seed: int, sigma: float = 0.2) -> dict[str, Any]:
    """Conductances for each mode: the stored levels, somewhat off."""
    draw = np.random.default_rng(seed)
    programmed = case.crossbar().program(weights, split=case.split)  # type: ignore[arg-type]
    return {
        piece.mode: (piece.cells.levels + sigma * draw.standard_normal(piece.cells.levels.shape)).astype(
            np.float32
        )
        for piece in programmed.pieces
    }


@pytest.mark.parametrize("rounding", ["nearest", "floor"])
@pytest.mark.parametrize("off", [0.0, 2.0**-25, -(2.0**-25)])
def test_sums_at_the_edge_of_a_code(rounding: str, off: float) -> None:
    """One cell a column is half a level off, or a whole one, and a little less or more than that.

    In float32 a sum of 60.5 - 2^-25 is 60.5, and another code.
    """
    case = Case(rounding=rounding, slc_adc=8, mlc_adc=8)
    weights, inputs = case.random(3, 64, 6)
    conductances = deviating(case, weights, 0, sigma=0)
    for number, held in enumerate(conductances.values()):
        held[:, 0] = 0.0
        held[:, number + 1] = np.float32(0.5 + off) if rounding == "nearest" else np.float32(1 + off)
    agree(case, weights, inputs, conductances)


@pytest.mark.parametrize("weights", WEIGHTS[:2])
def test_whole_conductances_are_levels(weights: str) -> None:
    """Cells that hold exactly their levels multiply as if they had no conductances."""
    case = Case(weights, rows=64, slc_adc=3, mlc_adc=4)
    matrix, inputs = case.random(4, 150, 6)
    programmed = case.crossbar().program(matrix)
    whole = {piece.mode: piece.cells.levels.astype(np.float32) for piece in programmed.pieces}
    found, ideal = with_conductance(programmed, whole).multiply(inputs), programmed.multiply(inputs)
    assert ideal.saturated > 0
    assert (found.values == ideal.values).all()
    assert (found.conversions, found.saturated) == (ideal.conversions, ideal.saturated)


# --- the integer product in place of conversions that cannot err


@pytest.mark.parametrize("inputs", INPUTS)
@pytest.mark.parametrize("access", [None, 16])
def test_the_integer_product_is_what_the_arrays_give(inputs: str, access: int | None) -> None:
    """Both ways for every column that is provably lossless, and these are all with 8 b: 64 x 3 < 256."""
    case = Case(inputs=inputs, slc_adc=8, mlc_adc=9, access=access)
    matrix, batch = case.random(3, 200, 8)
    crossbar = case.crossbar()
    for piece in crossbar.program(matrix).pieces:
        planes = input_planes(batch, case.input_bits, crossbar.model.arithmetic)
        assert lossless_columns(piece.cells, piece.converter, planes.bipolar).all()
        sums, saturated = packed_product(as_accesses(planes, piece.cells), piece.cells, piece.converter)
        assert saturated == 0
        assert (
            sums - piece.offset * batch.sum(axis=1, keepdims=True) == integer_product(batch, piece.weights)
        ).all()


def test_columns_are_lossless_one_by_one() -> None:
    """SLC at 6 b: -128 stores only zeros; -1 stores 64 ones in seven slices, or 63 next to one -128."""
    case = Case(share=1.0)
    matrix = np.tile(np.array([-128, -1, 127, -1]), (64, 1))
    matrix[0, 3] = -128
    piece = case.crossbar().program(matrix).pieces[0]
    assert lossless_columns(piece.cells, piece.converter, bipolar=False).tolist() == [
        True,
        False,
        False,
        True,
    ]
    # bipolar codes are -32 to 31, for sums of -64 to 64
    bipolar = replace(piece.converter, lowest=-32, highest=31)
    assert lossless_columns(piece.cells, bipolar, bipolar=True).tolist() == [True, False, False, False]


@pytest.mark.parametrize(
    "converter",
    [
        Converter(0, 255, step=0.5),
        Converter(0, 255, gain_error=0.01),
        Converter(0, 255, offset_lsb=0.25),
        Converter(0, 255, inl_lsb=(0.0, 0.1)),
        Converter(0, 255, zero=0.5),
    ],
)
def test_no_column_is_lossless_with_a_converter_that_errs(converter: Converter) -> None:
    piece = Case(share=1.0).crossbar().program(np.zeros((3, 2), dtype=np.int64)).pieces[0]
    assert not lossless_columns(piece.cells, converter, bipolar=False).any()


def test_products_beyond_float64_are_exact() -> None:
    """(2^15 - 1)^2 x 2^24 rows would be 2^54: large factors stand for many rows."""
    inputs, weights = np.array([[2**30 + 1, 3]]), np.array([[2**30 + 1], [5]])
    assert EXACT_BELOW < (2**30 + 1) ** 2
    assert integer_product(inputs, weights).tolist() == [[(2**30 + 1) ** 2 + 15]]


def test_products_are_added_in_the_kind_that_holds_both() -> None:
    whole = Product(np.array([[1, 2, 3]]), 5, 1)
    total = whole.plus(Product(np.array([[0.5, 0.5]]), 2, 1), np.array([2, 0]))
    assert total.values.tolist() == [[1.5, 2.0, 3.5]]
    assert (total.conversions, total.saturated) == (7, 2)
    assert whole.values.dtype == whole.plus(whole, np.arange(3)).values.dtype == np.int64


@pytest.mark.parametrize("range_", RANGES[:3])
def test_a_batch_is_its_vectors(range_: str) -> None:
    """No vector changes another one's product, and one vector is a batch of one."""
    case = Case(range_=range_, slc_adc=5, mlc_adc=6)
    matrix, batch = case.random(5, 100, 7)
    programmed = case.crossbar().program(matrix)
    together = programmed.multiply(batch)
    apart = [programmed.multiply(vector) for vector in batch]
    assert (np.concatenate([each.values for each in apart]) == together.values).all()
    assert sum(each.saturated for each in apart) == together.saturated
    assert sum(each.conversions for each in apart) == together.conversions


def test_an_empty_batch() -> None:
    found = hybrid().multiply(np.empty((0, 100), dtype=np.int64))
    assert found.values.shape == (0, 7)
    assert (found.conversions, found.saturated) == (0, 0)


def hybrid() -> Programmed:
    case = Case()
    return case.crossbar().program(case.random(1, 100, 7)[0])
