"""Spaces: combinations, numbering, samples."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.errors import SpaceError
from archsim.explore.space import Axis, Space, combined, read_space, sample


def of_lengths(*lengths: int) -> Space:
    return Space(
        tuple((Axis(f"a{place}", tuple(range(length)), ""),) for place, length in enumerate(lengths))
    )


def test_the_last_axis_runs_fastest() -> None:
    space = read_space(["a.x=1,2", "a.y=u,v,w"])
    assert space.size == 6
    assert [tuple(space.settings(point).values()) for point in range(6)] == [
        (1, "u"),
        (1, "v"),
        (1, "w"),
        (2, "u"),
        (2, "v"),
        (2, "w"),
    ]


def test_linked_axes_go_together() -> None:
    linked = (Axis("a.x", (1, 2), ""), Axis("a.y", (10, 20), ""))
    space = combined(Space((linked,)), read_space({"a.z": [0, 1]}))
    assert [tuple(space.settings(point).values()) for point in range(space.size)] == [
        (1, 10, 0),
        (1, 10, 1),
        (2, 20, 0),
        (2, 20, 1),
    ]


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.data())
def test_points_and_digits_are_one_to_one(lengths: list[int], data: st.DataObject) -> None:
    space = of_lengths(*lengths)
    point = data.draw(st.integers(0, space.size - 1))
    assert space.number(space.digits(point)) == point


def test_values_from_python() -> None:
    space = read_space({"a": np.array([1, 2]), "b": range(3), "c": 7, "d": "0:1:0.5", "e": (None, True)})
    assert [axis.values for axis in space.axes] == [(1, 2), (0, 1, 2), (7,), (0.0, 0.5, 1.0), (None, True)]
    assert type(space.axes[0].values[0]) is int


def test_a_grid_is_all_points_and_takes_no_memory() -> None:
    space = of_lengths(1000, 1000, 1000, 1000)
    assert sample(space, "grid") == range(10**12)


def test_a_random_sample_is_different_points_and_the_same_for_a_seed() -> None:
    space = of_lengths(10, 10, 10)
    chosen = sample(space, "random", 100, seed=3)
    assert len(set(chosen)) == 100
    assert chosen == sample(space, "random", 100, seed=3)
    assert chosen != sample(space, "random", 100, seed=4)
    assert sorted(sample(space, "random", 1000)) == list(range(1000))


@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 5))
def test_latin_gives_each_value_its_share(first: int, second: int, seed: int) -> None:
    """With as many points as both factors have values in all, each value comes equally often."""
    space = of_lengths(first, second, 997)
    points = first * second
    chosen = sample(space, "latin", points, seed)
    digits = [space.digits(point) for point in chosen]
    assert len(digits) == points  # the long third factor keeps them apart
    assert set(Counter(digit[0] for digit in digits).values()) == {second}
    assert set(Counter(digit[1] for digit in digits).values()) == {first}


def test_latin_counts_a_point_once() -> None:
    assert sample(of_lengths(1, 2), "latin", 2) in ([0, 1], [1, 0])
    assert len(sample(of_lengths(2, 2), "latin", 4, seed=0)) <= 4


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["chip.pus"], "--set 'chip.pus': must be PATH=VALUES, such as chip.pus=12,24"),
        (["=1"], "--set '=1': must be PATH=VALUES, such as chip.pus=12,24"),
        (["a=1:2:0", "b=1,1"], "--set a=1:2:0: the step of 1:2:0 is zero\n--set b=1,1: lists 1 twice"),
        ({"a": []}, "a: lists no value; values are a,b,c or lo:hi:step, such as 0:0.3:0.05"),
    ],
)
def test_wrong_axes(given: object, message: str) -> None:
    with pytest.raises(SpaceError) as error:
        read_space(given)  # type: ignore[arg-type]
    assert str(error.value) == message


def test_a_path_is_swept_once() -> None:
    with pytest.raises(SpaceError, match=r"^--set a=3: a is swept twice$"):
        combined(read_space(["a=1,2"]), read_space(["b=1", "a=3"]))
    with pytest.raises(SpaceError, match="there is nothing to sweep: give --set PATH=a,b,c or --space FILE"):
        combined(read_space([]))


@pytest.mark.parametrize(
    ("how", "points", "message"),
    [
        ("grid", 3, "--points: a grid has all points; leave it out, or say --sample random or latin"),
        ("random", None, "--sample random: how many? say --points N"),
        ("latin", 0, "--points: must be from 1 to 6, the points of the grid, not 0"),
        ("random", 7, "--points: must be from 1 to 6, the points of the grid, not 7"),
        ("sobol", 1, "--sample: must be one of grid, random, latin, not 'sobol'"),
    ],
)
def test_wrong_samples(how: str, points: int | None, message: str) -> None:
    with pytest.raises(SpaceError) as error:
        sample(of_lengths(2, 3), how, points)  # type: ignore[arg-type]
    assert str(error.value) == message
