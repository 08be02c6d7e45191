"""Values of an axis, as a person writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.errors import SpaceError
from archsim.explore.values import parse_values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1,2,4", (1, 2, 4)),
        ("0:0.3:0.05", (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3)),
        ("0:1:0.4", (0.0, 0.4, 0.8)),
        ("12:24:6", (12, 18, 24)),
        ("24:12:-6", (24, 18, 12)),
        ("1e2:3e2:1e2", (100.0, 200.0, 300.0)),
        ("5:5:1", (5,)),
        ("1:3:1,8", (1, 2, 3, 8)),
        ("whole, ideal", ("whole", "ideal")),
        ("auto,1", ("auto", 1)),
        ("[1,2],[3]", ([1, 2], [3])),
        ("'a,b',c", ("a,b", "c")),
        ("true,1,null", (True, 1, None)),
    ],
)
def test_values(text: str, values: tuple[object, ...]) -> None:
    parsed = parse_values(text, "--set")
    assert parsed == values
    assert list(map(type, parsed)) == list(map(type, values))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no value; values are a,b,c or lo:hi:step, such as 0:0.3:0.05"),
        ("1,,2", "value 2 is empty; values are a,b,c or lo:hi:step, such as 0:0.3:0.05"),
        ("1:2:0", "the step of 1:2:0 is zero"),
        ("2:1:0.5", "the range 2:1:0.5 is empty: a step of 0.5 does not lead from 2 to 1"),
        ("1:2:-1", "the range 1:2:-1 is empty: a step of -1 does not lead from 1 to 2"),
        ("0:1:1e-9", "the range 0:1:1e-9 has more than 1,000,000 values, the most of an axis"),
        ("a:b:c", "'a:b:c' is no range of numbers; values are a,b,c or lo:hi:step, such as 0:0.3:0.05"),
        ("0:inf:1", "'0:inf:1' is no range of numbers; values are a,b,c or lo:hi:step, such as 0:0.3:0.05"),
        ("1,2,1.0", "lists 1.0 twice"),
        ("1:3:1,2", "lists 2 twice"),
        ("[1,2", "a bracket or a quote is not closed; values are a,b,c or lo:hi:step, such as 0:0.3:0.05"),
        ("a: 1", "'a: 1' is a section; values are a,b,c or lo:hi:step, such as 0:0.3:0.05"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str) -> None:
    with pytest.raises(SpaceError) as error:
        parse_values(text, "--set x")
    assert str(error.value) == f"--set x: {message}"


@given(st.integers(-1000, 1000), st.integers(1, 500), st.integers(0, 60), st.integers(0, 4))
def test_ranges_are_exact(low: int, step: int, count: int, digits: int) -> None:
    """Each value is the float that its decimal is written as, and the last one is there."""
    scale = 10**digits
    shown = [f"{(low + place * step) / scale:.{digits}f}" for place in range(count + 1)]
    values = parse_values(f"{shown[0]}:{shown[-1]}:{step / scale:.{digits}f}", "--set")
    assert [float(value) for value in values] == [float(text) for text in shown]
