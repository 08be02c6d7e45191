"""Copies of the slowest stages, whole or counted in cells."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from archsim.mapping.demand import Stage
from archsim.mapping.replication import whole_copies
from archsim.parts.part import Size


def stage(load: int, *units: int) -> Stage:
    return Stage(tuple(Size(unit, Fraction(unit)) for unit in units), load, Fraction(load))


def one_by_one(stages: Sequence[Stage], spare: Sequence[int]) -> tuple[int, ...]:
    """The rule as it is stated, one copy of the slowest stages after the other."""
    copies = [1] * len(stages)
    left = list(spare)
    while True:
        slowest = max(one.load / count for one, count in zip(stages, copies, strict=True))
        tied = [i for i, one in enumerate(stages) if one.load / copies[i] == slowest]
        left = [have - sum(stages[i].sizes[pu].units for i in tied) for pu, have in enumerate(left)]
        if min(left) < 0:
            return tuple(copies)
        for i in tied:
            copies[i] += 1


# 20 spare: both stages tie at 800 and take 4 + 3 together, twice; then 6 are left for 7
def test_stages_that_tie_are_copied_together_or_not_at_all() -> None:
    assert whole_copies([stage(800, 4), stage(800, 3)], [20]) == (3, 3)
    assert whole_copies([stage(800, 4), stage(800, 3)], [6]) == (1, 1)


# 900 against 300: three copies bring the first to 300, then both tie and take 2 + 1 together
def test_the_slowest_stage_is_copied_first() -> None:
    stages = [stage(900, 2), stage(300, 1)]
    assert [whole_copies(stages, [spare]) for spare in (1, 2, 4, 6, 7)] == [
        (1, 1),
        (2, 1),
        (3, 1),
        (3, 1),
        (4, 2),
    ]


# the second PU has room for one more copy only
def test_the_fullest_pu_decides() -> None:
    assert whole_copies([stage(100, 2, 3)], [20, 5]) == (2,)


def test_a_pu_without_a_share_does_not_decide() -> None:
    assert whole_copies([stage(100, 2, 0)], [9, 1]) == (5,)


def test_stages_that_nothing_goes_through_are_not_copied() -> None:
    assert whole_copies([stage(0, 2)], [100]) == (1,)


STAGES = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 9), st.integers(0, 9)), min_size=1, max_size=5)
SPARE = st.integers(0, 200)


@given(STAGES, SPARE, SPARE)
def test_copies_are_those_of_the_stated_rule(
    shapes: list[tuple[int, int, int]], first: int, second: int
) -> None:
    stages = [stage(*shape) for shape in shapes]
    copies = whole_copies(stages, [first, second])
    assert copies == one_by_one(stages, [first, second])
    for pu, have in enumerate((first, second)):
        taken = sum(one.sizes[pu].units * (count - 1) for one, count in zip(stages, copies, strict=True))
        assert taken <= have


@given(STAGES, SPARE, SPARE, st.integers(0, 100))
def test_more_room_never_gives_fewer_copies(
    shapes: list[tuple[int, int, int]], first: int, second: int, more: int
) -> None:
    stages = [stage(*shape) for shape in shapes]
    few = whole_copies(stages, [first, second])
    many = whole_copies(stages, [first + more, second + more])
    assert all(b >= a for a, b in zip(few, many, strict=True))
