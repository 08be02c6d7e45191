"""Pareto sets: fronts that are known by construction, ties, and points without a number."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from archsim.errors import SpaceError
from archsim.explore.objectives import Objective, parse_objectives
from archsim.explore.pareto import pareto_mask, pareto_set


def test_a_front_that_is_known_by_construction() -> None:
    """Points on x y = 1 dominate the same points moved away from both axes, and not each other."""
    x = np.linspace(0.1, 10, 50)
    front = np.stack([x, 1 / x], axis=1)
    points = np.concatenate([front * 1.01, front, front + np.array([0.5, 0])])
    assert pareto_mask(points).tolist() == [False] * 50 + [True] * 50 + [False] * 50


def test_a_sphere_in_three_objectives() -> None:
    rng = np.random.default_rng(0)
    directions = np.abs(rng.normal(size=(200, 3)))
    sphere = -directions / np.linalg.norm(directions, axis=1, keepdims=True)
    mask = pareto_mask(np.concatenate([sphere, sphere * 0.5]))
    assert mask[:200].all()
    assert not mask[200:].any()


def test_ties_are_in_the_set_together() -> None:
    points = [[1, 2], [2, 1], [1, 2], [2, 2], [1, 3]]
    assert pareto_mask(np.array(points, dtype=float)).tolist() == [True, True, True, False, False]


def test_what_is_no_number_is_never_in_the_set() -> None:
    points = [[math.nan, 0], [0, math.nan], [-math.inf, 0], [1, 1], [math.inf, 0]]
    assert pareto_mask(np.array(points)).tolist() == [False, False, False, True, False]
    assert pareto_mask(np.zeros((0, 2))).tolist() == []
    assert pareto_mask(np.full((3, 2), math.nan)).tolist() == [False] * 3


def dominates(one: np.ndarray, other: np.ndarray) -> bool:
    return bool((one <= other).all() and (one < other).any())


@given(
    arrays.arrays(
        np.float64,
        st.tuples(st.integers(0, 25), st.integers(1, 4)),
        elements=st.sampled_from([0.0, 1.0, 2.0, 3.0, math.nan]),
    )
)
def test_the_set_is_what_nothing_dominates(points: np.ndarray) -> None:
    finite = np.isfinite(points).all(axis=1)
    expected = [
        bool(finite[place]) and not any(dominates(other, points[place]) for other in points[finite])
        for place in range(len(points))
    ]
    assert pareto_mask(points).tolist() == expected


def test_rows_and_directions() -> None:
    rows = [
        {"energy_pj": 3.0, "tops": 5.0},
        {"energy_pj": 2.0, "tops": 5.0},
        {"energy_pj": 1.0, "tops": 4.0},
        {"energy_pj": None, "tops": 9.0},
        {"tops": 9.0},
    ]
    assert pareto_set(rows, parse_objectives("energy,tops")) == [2, 1]
    assert pareto_set(rows, parse_objectives("tops,energy")) == [1, 2]
    assert pareto_set(rows, parse_objectives("max:energy")) == [0]
    assert pareto_set([], parse_objectives("energy")) == []


def test_objectives() -> None:
    assert parse_objectives("energy, latency_ns,throughput,max:chip.pus", ["chip.pus"]) == (
        Objective("energy_pj", "min"),
        Objective("latency_ns", "min"),
        Objective("inferences_per_s", "max"),
        Objective("chip.pus", "max"),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "--pareto: names no objective, such as energy,latency,area"),
        (
            "enrgy",
            "--pareto: there is no objective 'enrgy' (did you mean 'energy'?); objectives are latency, "
            "first_token_ns, per_token_ns, throughput, tokens_per_s, in_flight, energy, area, power, "
            "peak_power_w, tops, tops_per_w, tops_per_mm2, chips, programming_pj, chip.pus",
        ),
        ("best:energy", "--pareto: 'best:energy' begins with neither min: nor max:"),
        ("energy,max:energy_pj", "--pareto: energy_pj is given twice"),
        (
            "chip.pus",
            "--pareto: chip.pus is swept, and has no good end of its own: say min:chip.pus or max:chip.pus",
        ),
    ],
)
def test_wrong_objectives(text: str, message: str) -> None:
    with pytest.raises(SpaceError) as error:
        parse_objectives(text, ["chip.pus"])
    assert str(error.value) == message
