"""SVD factors as lines of SLC and MLC, and the whole numbers between them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases import Case
from hypothesis import given
from hypothesis import strategies as st

from archsim.crossbar.factored import hard_threshold_rank, program_factored, program_factors
from archsim.errors import CrossbarError
from archsim.mapping import factors


def low_rank(rows: int, columns: int, rank: int, seed: int = 0) -> Any:
    draw = np.random.default_rng(seed)
    return draw.standard_normal((rows, rank)) @ draw.standard_normal((rank, columns))


def lossless(**options: Any) -> Case:
    """Converters with bits to spare."""
    return Case(slc_adc=8, mlc_adc=8, **options)


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_the_rank_is_that_of_the_mapping(rows: int, columns: int) -> None:
    assert hard_threshold_rank(rows, columns) == factors.hard_threshold_rank(rows, columns)


def test_both_factors_are_split_by_rank() -> None:
    # 40 x 60 / 100 = 24 ranks, of which 5 % are 1.2: two are SLC
    found = program_factored(lossless(share=0.05).crossbar(), low_rank(40, 60, 30))
    assert found.rank == 24
    first, second = found.first.pieces, found.second.pieces
    assert [(piece.mode, len(piece.rows), piece.columns.tolist()) for piece in first] == [
        ("slc", 40, [0, 1]),
        ("mlc", 40, list(range(2, 24))),
    ]
    assert [(piece.mode, piece.rows.tolist(), len(piece.columns)) for piece in second] == [
        ("slc", [0, 1], 60),
        ("mlc", list(range(2, 24)), 60),
    ]


def test_ranks_stand_in_the_order_of_their_singular_values() -> None:
    """A diagonal matrix: singular values 9, 5 and 2, in the rows 1, 2 and 0."""
    found = program_factored(lossless().crossbar(), np.diag([2.0, 9.0, 5.0]), rank=3, slc=1 / 3)
    slc, mlc = found.first.pieces
    assert np.abs(slc.weights[:, 0]).tolist() == [0, 127, 0]
    assert np.abs(mlc.weights).tolist() == [[0, 127], [0, 0], [127, 0]]
    assert found.first.scale * 127 == pytest.approx([9, 5, 2])


def test_ranks_of_ones_own_choice() -> None:
    mask = np.array([False, True, True, False])
    found = program_factored(lossless().crossbar(), low_rank(9, 8, 4), slc=mask)
    assert [piece.columns.tolist() for piece in found.first.pieces] == [[1, 2], [0, 3]]
    assert [piece.rows.tolist() for piece in found.second.pieces] == [[1, 2], [0, 3]]


@pytest.mark.parametrize("weights", ["offset", "differential"])
def test_a_matrix_of_that_rank_comes_back(weights: str) -> None:
    """Within what 8 b lose thrice, of inputs, weights and the numbers between, about 1 % of the spread."""
    matrix = low_rank(150, 100, 20)
    inputs = np.random.default_rng(1).standard_normal((20, 150))
    found = program_factored(lossless(weights=weights).crossbar(), matrix)
    values = found.multiply_real(inputs)
    exact = inputs @ matrix
    assert np.sqrt(np.mean((values - exact) ** 2)) < 0.03 * exact.std()
    assert (values == found.exact(inputs)).all()


def test_the_product_step_by_step() -> None:
    """Against the oracle, with a converter that loses something in both factors."""
    case = Case(slc_adc=3, mlc_adc=4, share=0.4)
    draw = np.random.default_rng(5)
    first, second = draw.standard_normal((70, 5)), draw.standard_normal((5, 6))
    inputs, samples = draw.standard_normal((3, 70)), 0.3 * draw.standard_normal((4, 70))
    found = program_factors(case.crossbar(), first, second, samples=samples)

    def whole(values: Any, scale: Any) -> Any:
        return np.rint(values / scale).astype(np.int64)

    first_scale, second_scale = np.abs(first).max(axis=0) / 127, np.abs(second).max(axis=0) / 127
    input_scale, sample_scale = np.abs(inputs).max() / 127, np.abs(samples).max() / 127
    weights = whole(first, first_scale)
    between = (whole(samples, sample_scale) @ weights) * (sample_scale * first_scale)
    scale = np.abs(between).max() / 127
    assert found.between_scale == pytest.approx(scale)

    before = case.expected(weights, whole(inputs, input_scale))
    steps = np.rint(before.values * (input_scale * first_scale) / scale)
    clipped = np.clip(steps, -127, 127).astype(np.int64)
    after = Case(slc_adc=3, mlc_adc=4, share=0.4, split="rows").expected(whole(second, second_scale), clipped)
    product = found.multiply(inputs)
    assert product.values == pytest.approx(after.values * (scale * second_scale))
    assert product.clipped == (steps != clipped).sum() > 0
    assert product.saturated == before.saturated + after.saturated > 0
    assert product.conversions == before.conversions + after.conversions


def test_without_samples_each_batch_has_its_own_scale() -> None:
    """The largest number between is 127 steps: none is clipped, and twice the inputs double the product."""
    found = program_factored(lossless().crossbar(), low_rank(30, 30, 15))
    inputs = np.random.default_rng(2).standard_normal((4, 30))
    assert found.between_scale is None
    once, twice = found.multiply(inputs), found.multiply(2 * inputs)
    assert twice.values == pytest.approx(2 * once.values)
    assert once.clipped == twice.clipped == 0


def test_calibrated_converters_are_those_of_the_samples() -> None:
    case = Case(range_="calibrated", share=1.0)
    matrix, samples = low_rank(64, 64, 32), np.random.default_rng(3).standard_normal((8, 64))
    found = program_factored(case.crossbar(), matrix, samples=samples)
    assert found.multiply(samples).saturated == 0
    for programmed in (found.first, found.second):
        assert programmed.pieces[0].converter.step == 1


def test_an_empty_batch() -> None:
    found = program_factored(lossless().crossbar(), low_rank(8, 8, 4))
    with pytest.raises(CrossbarError, match=r"a batch of inputs has the shape \(0, 8\)"):
        found.multiply(np.empty((0, 8)))


@pytest.mark.parametrize(
    ("shape", "options", "told"),
    [
        (
            (1, 1),
            {},
            "a matrix of 1 x 1 has no hard-threshold rank: 1 x 1 / (1 + 1) is below 1; program it whole, or "
            "give a rank",
        ),
        ((4, 6), {"rank": 5}, "rank is 5; the factors of a matrix of 4 x 6 have 1 to 4"),
        ((4, 6), {"rank": 0}, "rank is 0; the factors of a matrix of 4 x 6 have 1 to 4"),
        (
            (0, 6),
            {},
            "a matrix of weights has the shape (0, 6); it must have rows and columns, at least one each",
        ),
        (
            (4, 6),
            {"slc": np.array([True])},
            "slc has the shape (1,) of bool; it must be (2,) of bool",
        ),
        (
            (4, 6),
            {"samples": np.zeros((2, 5))},
            "inputs have the shape (2, 5); a matrix of 4 rows takes (4,) or (batch, 4)",
        ),
        (
            (4, 6),
            {"samples": np.full((2, 4), np.inf)},
            "a batch of inputs holds inf at row 0, column 0 (8 such in all); numbers must be finite",
        ),
        ((4, 6), {"seed": -1}, "seed is -1; it must be a whole number from 0, or several"),
    ],
)
def test_what_cannot_be_factored(shape: tuple[int, int], options: dict[str, Any], told: str) -> None:
    with pytest.raises(CrossbarError) as error:
        program_factored(Case().crossbar(), np.ones(shape), **options)
    assert str(error.value) == told


def test_factors_that_do_not_fit() -> None:
    crossbar = Case().crossbar()
    with pytest.raises(CrossbarError) as error:
        program_factors(crossbar, np.ones((3, 2)), np.ones((3, 2)))
    assert str(error.value) == (
        "the first factor has 2 columns and the second one 3 rows; both are the ranks"
    )
    with pytest.raises(CrossbarError) as error:
        program_factors(Case(inputs="unsigned").crossbar(), np.ones((3, 2)), np.ones((2, 3)))
    assert str(error.value) == (
        "arithmetic.inputs: unsigned cannot carry what a first factor gives, which has both signs: use "
        "twos_complement, sign_magnitude or two_pass"
    )
