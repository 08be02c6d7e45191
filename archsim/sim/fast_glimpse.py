"""What ``engine.Glimpse`` compares of every task, compiled."""

# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from archsim.sim.engine import Glimpse
from archsim.sim.fast_kernel import compiled, nth

_TOLD = 2**32 - 1
"""As much of a sum of inferences as 32 bits tell."""


@compiled
def begun_no_later(here: Glimpse, there: Glimpse, cycles: int, known: int) -> int:
    """``Glimpse.no_later`` for what has begun; ``starts`` are those of all tasks in one row.

    Args: cycles: rounded down, by which starts may be later; known: the same rounded up: what began fewer
        cycles ago there need not have begun here.
    """
    on, remembered = here.left - there.left, len(here.starts) // len(here.begun)
    for task in range(len(here.begun)):
        first = task * remembered
        ahead = here.begun[nth(task), 0] - there.begun[nth(task), 0] - on
        later = (here.starts[nth(first)] - here.now) - (there.starts[nth(first)] - there.now)
        if ahead == 0 and later <= cycles:
            by = here.begun[nth(task), 1] - there.begun[nth(task), 1]
            if (by - on * there.begun[nth(task), 0] - on * (on - 1) // 2) & _TOLD:
                return 0  # one has overtaken another
            if here.starts[nth(first + 1)] + here.cycles[nth(task)] <= here.now:
                continue  # nothing but the last start may count
        lasts = here.cycles[nth(task)]
        if not _starts_no_later(here, there, first, remembered, lasts, ahead, cycles, known):
            return 0
    return 1


@compiled
def _starts_no_later(
    here: Glimpse,
    there: Glimpse,
    first: int,
    remembered: int,
    lasts: int,
    ahead: int,
    cycles: int,
    known: int,
) -> bool:
    """The same for the starts of a task that has begun ``ahead`` times more often here.

    Args: first: of its starts; lasts: cycles from each until it is over.
    """
    lately = 0
    for place in range(remembered):
        lately += there.starts[nth(first + place)] - there.now > -known
    if ahead + lately < 0:
        return False
    for place in range(remembered):
        start, like = here.starts[nth(first + place)] - here.now, place - ahead
        if start + lasts > 0:
            if place + 1 == remembered or like >= remembered:
                return False  # there may be more of them than are remembered
            if like >= 0 and start - (there.starts[nth(first + like)] - there.now) > cycles:
                return False
    return True
