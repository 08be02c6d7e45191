"""The ones of inputs: as stated, and as measured."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from archsim.errors import MappingError
from archsim.parts.activity import (
    Activity,
    ActivityModel,
    BlockCounts,
    MeasuredActivity,
    MeasuredOperation,
)


def measured(**operations: MeasuredOperation) -> Activity:
    """``l0_q`` stands for ``l0.q``."""
    named = {name.replace("_", "."): each for name, each in operations.items()}
    return Activity(ActivityModel(), MeasuredActivity(named, "0123"))


def blocks(*planes: list[int], vectors: int = 1) -> MeasuredOperation:
    rows = len(planes[0]) - 1
    return MeasuredOperation({rows: BlockCounts(rows, np.array(planes))}, vectors)


def test_stated_ones_are_independent_bits() -> None:
    # 3 rows, half ones: 1, 3, 3, 1 of 8; a quarter: 27, 27, 9, 1 of 64
    half = Activity(ActivityModel()).pmf("l0.q", 2, 3)
    assert half == pytest.approx(np.array([[1, 3, 3, 1]] * 2) / 8)
    by_plane = Activity(ActivityModel(ones=[0.25, 0, 1]))
    assert by_plane.pmf("l0.q", 3, 3) == pytest.approx(
        np.array([[27, 27, 9, 1], [64, 0, 0, 0], [0, 0, 0, 64]]) / 64
    )
    assert by_plane.shares("l0.q", 3).tolist() == [0.25, 0, 1]


def test_a_wide_block_has_chances_that_sum_to_one() -> None:
    pmf = Activity(ActivityModel(ones=[0.3])).pmf("l0.q", 1, 65536)[0]
    assert pmf.sum() == pytest.approx(1)
    mean = pmf @ np.arange(65537)
    assert mean == pytest.approx(0.3 * 65536)
    assert pmf @ (np.arange(65537) - mean) ** 2 == pytest.approx(0.3 * 0.7 * 65536)


def test_lower_blocks_take_some_of_the_measured_rows() -> None:
    # two of four rows where two are ones: 1, 4, 1 of 6 pairs
    assert BlockCounts(4, np.array([[0, 0, 5, 0, 0]])).pmf(2) == pytest.approx(np.array([[1, 4, 1]]) / 6)
    # all four as counted
    assert BlockCounts(4, np.array([[1, 0, 1, 0, 2]])).pmf(4).tolist() == [[0.25, 0, 0.25, 0, 0.5]]


@given(st.integers(1, 64), st.data(), st.floats(0, 1))
def test_some_of_independent_bits_are_independent_bits(rows: int, data: st.DataObject, share: float) -> None:
    height = data.draw(st.integers(1, rows))
    stated = Activity(ActivityModel(ones=[share]))
    counts = np.rint(stated.pmf("", 1, rows) * 1e15).astype(np.int64)
    taken = BlockCounts(rows, counts).pmf(height)
    assert taken == pytest.approx(stated.pmf("", 1, height), abs=1e-9)


def test_the_nearest_measurement_counts() -> None:
    # 0, 1, 2, ... ones of 8 rows tell the entries apart
    names = ["all", "linear", "q", "q_1", "l0_q", "l0_q_1"]
    kinds = {name: blocks([int(k == n) for k in range(9)]) for n, name in enumerate(names)}
    for left in range(len(names), 0, -1):
        activity = measured(**{name: kinds[name] for name in names[:left]})
        # of the matrix l0.q.1: its own, then the operation's, its factor in any layer, it in any layer, ...
        expected = [0, 1, 2, 3, 4, 5][left - 1]
        assert activity.shares("l0.q.1", 1).tolist() == [expected / 8]
    everything = measured(**kinds)
    assert everything.shares("l0.q.0", 1).tolist() == [4 / 8]
    assert everything.shares("l3.q", 1).tolist() == [2 / 8]
    assert everything.shares("classifier", 1).tolist() == [1 / 8]


def test_the_lowest_blocks_that_are_high_enough_are_used() -> None:
    of = {rows: BlockCounts(rows, np.eye(rows + 1, dtype=np.int64)[[rows]]) for rows in (4, 8)}
    of[8] = BlockCounts(8, np.eye(9, dtype=np.int64)[[0]])
    activity = measured(all=MeasuredOperation(of, 1))
    assert activity.pmf("l0.q", 1, 3).tolist() == [[0, 0, 0, 1]]
    assert activity.pmf("l0.q", 1, 5).tolist() == [[1, 0, 0, 0, 0, 0]]
    # the share of ones is that of all blocks: 4 of 12 rows
    assert activity.shares("l0.q", 1).tolist() == [4 / 12]
    with pytest.raises(MappingError) as caught:
        activity.pmf("l0.q", 1, 9)
    assert str(caught.value) == (
        "the measured activity of 'l0.q' is of blocks of at most 8 rows, and an array takes 9: measure on "
        "the arrays of this machine"
    )


def test_what_is_not_known() -> None:
    lists_two = Activity(ActivityModel(ones=[0.1, 0.2]))
    assert lists_two.lacks("l0.q", 2) == ""
    assert lists_two.lacks("l0.q", 8) == "activity.ones lists 2 planes, an input takes 8 reads"
    of_q = measured(q=blocks([1, 1], [1, 1]), k=blocks([1, 1]))
    assert of_q.lacks("l5.q", 2) == ""
    assert of_q.lacks("l0.k", 2) == "the measured activity of 'l0.k' has 1 planes, an input takes 2 reads"
    assert of_q.lacks("l0.v", 2) == (
        "the measured activity says nothing of 'l0.v', nor of 'all' (it has: q, k)"
    )
    for attempt in (lambda: of_q.shares("l0.v", 2), lambda: of_q.pmf("l0.v", 2, 1)):
        with pytest.raises(MappingError, match="says nothing of"):
            attempt()


def test_it_says_what_it_rests_on() -> None:
    assert str(Activity(ActivityModel())) == "stated: 50.0% ones in every bit-plane"
    assert (
        str(Activity(ActivityModel(ones=[0.1, 0.3]))) == "stated: 20.0% ones (10.0% to 30.0%, by bit-plane)"
    )
    # 1 of 4 blocks is empty; 0 + 1 + 1 + 2 of 8 bits are ones
    one = blocks([1, 2, 1], vectors=4)
    assert str(measured(q=one)) == (
        "measured on 4 vectors of 1 operation (0123): 50.0% ones, 25.0% of the bit-planes of a row block are "
        "empty"
    )
    saturating = MeasuredOperation(one.blocks, 4, conversions=1000, saturated=25)
    assert str(measured(q=saturating, k=one)).endswith("are empty, 2.50% of the conversions saturate")


@pytest.mark.parametrize("ones", [-0.1, 1.1, math.nan, [], [0.5, 2], "half"])
def test_ones_are_shares(ones: object) -> None:
    with pytest.raises(ValidationError):
        ActivityModel.model_validate({"ones": ones})
