"""Accesses of few wordlines, conversions, and the sums of samples, by hand and against the oracle."""

from __future__ import annotations

from typing import Any

import numpy as np
import oracle
import pytest
from cases import Case
from hypothesis import given
from hypothesis import strategies as st

from archsim.crossbar.cells import Cells, store
from archsim.crossbar.coding import Planes, Slices, input_planes
from archsim.crossbar.reads import as_accesses, count_conversions, driven_wordlines, sum_range


def planes(*bits: list[int]) -> Planes:
    """Reads of one vector each, which count 1, 2, 4 ..."""
    return Planes(np.array(bits, dtype=np.int8)[:, np.newaxis], 2 ** np.arange(len(bits)), bipolar=False)


def cells(levels: Any, block_rows: int, access: int | None) -> Cells:
    slices = Slices(np.array([levels], dtype=np.uint8), np.array([1]), 0)
    return store(slices, 2, block_rows, access, flip=False)


ROWS = [[1, 3]] * 5


def test_driven_wordlines_of_each_block() -> None:
    # blocks of rows 0-1, 2-3 and 4
    assert driven_wordlines(planes([1, 1, 0, 1, 1], [0, 0, 0, 0, 1]), 2).tolist() == [
        [[2, 1, 1]],
        [[0, 0, 1]],
    ]
    assert driven_wordlines(planes([-1, 1, 0, 0, -1]), 2).tolist() == [[[2, 0, 1]]]


def test_accesses_take_the_first_wordlines_first() -> None:
    # in blocks of four rows, two at a time: the rows 0, 1 and 4, then the row 3
    found = as_accesses(planes([1, 1, 0, 1, 1], [0, 0, 1, 0, 0]), cells(ROWS, 4, 2))
    assert found.bits[:, 0].tolist() == [[1, 1, 0, 0, 1], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 0]]
    assert found.weight.tolist() == [1, 2, 1, 2]


@pytest.mark.parametrize("access", [None, 4, 9])
def test_a_read_is_one_access_where_all_wordlines_may_be_driven(access: int | None) -> None:
    given = planes([1, 1, 1, 1, 1])
    assert as_accesses(given, cells(ROWS, 4, access)) is given


@pytest.mark.parametrize(
    ("access", "conversions"),
    [
        # 2 reads x 3 blocks x 2 bitlines
        (None, 12),
        # accesses: of the first read ceil(2/1) + 1 + 1, of the second 1
        (1, 10),
        # 1 + 1 + 1, and 1: two arrays have nothing to read
        (2, 8),
        (9, 8),
    ],
)
def test_conversions(access: int | None, conversions: int) -> None:
    reads = planes([1, 1, 0, 1, 1], [0, 0, 0, 0, 1])
    assert count_conversions(reads, cells(ROWS, 2, access)) == conversions


@pytest.mark.parametrize(
    ("access", "expected"),
    [
        # block 0 drives both rows, block 2 only one; the block between them none, which is a sum of 0
        (None, (0, 6)),
        # there is no access of nothing
        (9, (1, 6)),
        (1, (1, 3)),
    ],
)
def test_the_range_of_sums(access: int | None, expected: tuple[float, float]) -> None:
    assert sum_range(planes([1, 1, 0, 0, 1]), cells(ROWS, 2, access)) == expected


def test_no_access_has_no_sums() -> None:
    assert sum_range(planes([0, 0, 0, 0, 0]), cells(ROWS, 2, 2)) == (0, 0)


@given(
    st.sampled_from(["twos_complement", "unsigned", "sign_magnitude", "two_pass"]),
    st.sampled_from([1, 5, 64, 100]),
    st.sampled_from([None, 1, 2, 7, 64]),
    st.integers(1, 130),
    st.integers(0, 99),
)
def test_accesses_are_the_oracles(
    inputs: str, rows_of_array: int, access: int | None, rows: int, seed: int
) -> None:
    """The same accesses, no wordline twice, no more than the limit, and the same sums."""
    case = Case(inputs=inputs, rows=rows_of_array, access=access, share=1.0, input_bits=3)
    weights, batch = case.random(2, rows, 1, seed)
    crossbar = case.crossbar()
    stored = crossbar.program(weights).pieces[0].cells
    reads = input_planes(batch, case.input_bits, crossbar.model.arithmetic)
    found = as_accesses(reads, stored)
    assert (np.tensordot(found.weight, found.bits, 1) == batch).all()
    assert driven_wordlines(found, rows_of_array).max() <= (access or rows_of_array)
    answer = oracle.multiply(weights, batch, case.setup("slc"))
    assert count_conversions(reads, stored) == answer.conversions
    sums = answer.sums or [0.0]
    assert sum_range(reads, stored) == (min(sums), max(sums))
