"""Which rows of stacked bars are folded, and that nothing is lost by it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.report.plots.palette import OTHER
from archsim.report.plots.stacks import MOST, stack

TABLES = st.lists(
    st.dictionaries(st.text("abcde", min_size=1, max_size=2), st.floats(0, 1e12), max_size=25), min_size=1
)


@given(TABLES)
def test_bars_keep_their_wholes(tables: list[dict[str, float]]) -> None:
    tables.append({"a": 1.0})
    stacks = stack(tables)
    assert stacks.totals == pytest.approx([sum(table.values()) for table in tables])
    assert len(stacks.rows) <= MOST + 1


def test_small_rows_are_added_up() -> None:
    # of 100: 1 and 1.5 are below 2 %, 2 is not
    stacks = stack([{"a": 95.5, "b": 2.0, "c": 1.5, "d": 1.0}])
    assert stacks.rows == {"a": [95.5], "b": [2.0], OTHER: [2.5]}
    assert stacks.label(OTHER) == "2 others, each < 1.5 %: 2.5 %"


def test_a_row_that_is_large_in_one_bar_is_shown_in_all() -> None:
    stacks = stack([{"a": 99.0, "b": 1.0}, {"b": 1.0, "c": 1.0}])
    assert stacks.rows == {"a": [99.0, 0.0], "b": [1.0, 1.0], "c": [0.0, 1.0]}
    assert stacks.label("a") == "a"


def test_a_single_small_row_keeps_its_name() -> None:
    assert list(stack([{"a": 99.0, "b": 1.0}]).rows) == ["a", "b"]


def test_rows_of_nothing_are_left_out() -> None:
    assert list(stack([{"a": 1.0, "b": 0.0}]).rows) == ["a"]


def test_a_component_that_is_called_other_joins_the_others() -> None:
    stacks = stack([{"a": 97.0, OTHER: 1.0, "b": 1.0, "c": 1.0}])
    assert stacks.rows == {"a": [97.0], OTHER: [3.0]}
