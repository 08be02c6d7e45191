"""SVD factors, their split by rank, and their shares."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.mapping.factors import (
    Factor,
    even_shares,
    exact_rate,
    factorise,
    hard_threshold_rank,
    regions,
    split_columns,
    split_rows,
)
from archsim.parts.part import Region

SIDES = st.integers(1, 600)
RATES = st.fractions(0, 1, max_denominator=100)


# m n / (m + n): 1024 * 1024 / 2048 = 512; 1024 * 4096 / 5120 = 819.2; 1 * 8 / 9 < 1
@pytest.mark.parametrize(
    ("rows", "columns", "rank"), [(1024, 1024, 512), (1024, 4096, 819), (4096, 1024, 819), (1, 8, 0)]
)
def test_hard_threshold_rank(rows: int, columns: int, rank: int) -> None:
    assert hard_threshold_rank(rows, columns) == rank


# 5 % of 512 ranks are 25.6, of 100 exactly 5: in binary, 0.05 * 100 may be 5.000000000000001
@pytest.mark.parametrize(("ranks", "robust"), [(512, 26), (819, 41), (100, 5), (20, 1)])
def test_robust_ranks_are_rounded_up_once(ranks: int, robust: int) -> None:
    first, second = factorise(2 * ranks, 2 * ranks, "hard_threshold", exact_rate(0.05))
    assert first == Factor(2 * ranks, ranks, robust, "columns")
    assert second == Factor(ranks, 2 * ranks, robust, "rows")


def test_a_matrix_without_a_rank_stays_whole() -> None:
    assert factorise(1, 8, "hard_threshold", Fraction(1, 20)) == (Factor(1, 8, 1, "columns"),)


def test_without_svd_the_columns_are_split() -> None:
    assert factorise(64, 1024, "none", exact_rate(0.05)) == (Factor(64, 1024, 52, "columns"),)


def test_regions_lie_side_by_side_in_the_ranks() -> None:
    modes = ("slc", "mlc")
    first, second = factorise(1024, 1024, "hard_threshold", exact_rate(0.05))
    assert regions(first, modes) == (Region("slc", 1024, 26), Region("mlc", 1024, 486))
    assert regions(second, modes) == (Region("slc", 26, 1024), Region("mlc", 486, 1024))


def test_empty_regions_are_left_out() -> None:
    modes = ("slc", "mlc")
    assert regions(Factor(64, 8, 0, "columns"), modes) == (Region("mlc", 64, 8),)
    assert regions(Factor(64, 8, 8, "columns"), modes) == (Region("slc", 64, 8),)


def test_a_part_without_modes_has_one_region() -> None:
    assert regions(Factor(64, 8, 3, "columns"), ()) == (Region("", 64, 8),)


# 26 of 512 ranks over 4 PUs of 128: up to each PU's end 6.5, 13, 19.5 and 26, rounded up
def test_robust_columns_are_spread_in_proportion() -> None:
    shares = split_columns(Factor(1024, 512, 26, "columns"), (128,) * 4)
    assert [share.robust for share in shares] == [7, 6, 7, 6]


@given(SIDES, SIDES, RATES, st.integers(1, 9), st.sampled_from(["none", "hard_threshold"]))
def test_shares_sum_to_the_whole(rows: int, columns: int, rate: Fraction, pus: int, svd: str) -> None:
    for factor in factorise(rows, columns, svd, rate):
        shares = split_columns(factor, even_shares(factor.columns, pus))
        assert sum(share.columns for share in shares) == factor.columns
        assert {share.rows for share in shares} == {factor.rows}
        if factor.lines == "columns":
            assert sum(share.robust for share in shares) == factor.robust
            tall = split_rows(factor, even_shares(factor.rows, pus))
            assert sum(share.rows for share in tall) == factor.rows
        for share in shares:
            stored = regions(share, ("slc", "mlc"))
            assert sum(region.rows * region.columns for region in stored) == share.rows * share.columns
            assert 0 <= share.robust <= share.total_lines


@given(SIDES, SIDES, RATES)
def test_factors_never_take_more_weights(rows: int, columns: int, rate: Fraction) -> None:
    factors = factorise(rows, columns, "hard_threshold", rate)
    rank = hard_threshold_rank(rows, columns)
    weights = sum(factor.rows * factor.columns for factor in factors)
    assert weights == (rank * (rows + columns) if rank else rows * columns)
    assert weights <= rows * columns


@given(st.integers(0, 10**6), st.integers(1, 50))
def test_even_shares_differ_by_one_at_most(total: int, pus: int) -> None:
    shares = even_shares(total, pus)
    assert sum(shares) == total
    assert max(shares) - min(shares) <= 1
    assert list(shares) == sorted(shares, reverse=True)
