"""Equal layers: which groups of a plan differ in nothing but names and PUs, and what is what in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np

from archsim.graph_blocks import Copy, shifted
from archsim.hardware.machine import Machine
from archsim.mapping.plan import Group
from archsim.parts.part import Value
from archsim.schedule.spread import Spread
from archsim.workload.operations import Feeds, Trace


def equal_runs(groups: Sequence[Group], machine: Machine, trace: Trace) -> Iterator[tuple[Group, ...]]:
    """All groups in their order, those together that are equal but for names and PUs.

    All of a run are on one chip, each as many PUs on as the one before. Each takes its operands from itself
    or the one before, all alike, and none but the last gives a result to others or to the host.
    """
    run: list[Group] = []
    before: Feeds | None = None
    for group, feeds in zip(groups, trace.feeds, strict=True):
        if run and not _placed_on(run, group, machine):
            feeds = None
        if run and (feeds is None or (len(run) > 1 and feeds != before)):
            yield tuple(run)
            run = []
        run.append(group)
        before = feeds
    yield tuple(run)


def copies_of(group: Group, others: Sequence[Group]) -> list[Copy]:
    """What makes the tasks of ``group`` those of each of ``others``, equal groups but for names and PUs."""
    old = names_of(group)
    return [
        Copy(
            other.pus[0] - group.pus[0],
            (other.layer or 0) - (group.layer or 0),
            _renaming(old, names_of(other)),
        )
        for other in others
    ]


@lru_cache(maxsize=256)
def _renaming(old: tuple[str, ...], new: tuple[str, ...]) -> Callable[[str], str]:
    """What names become where the operations called ``old`` are called ``new``; a sweep asks again and again.

    Names of resources and of values hold those of operations; of two that fit, the longer one is meant.
    """
    names = dict(zip(old, new, strict=True))
    ids = "|".join(re.escape(name) for name in sorted(old, key=len, reverse=True))
    within = re.compile(rf"(?<!\w)({ids})(?!\w)")

    @lru_cache(maxsize=1024)
    def renamed(name: str) -> str:
        return names[name] if name in names else within.sub(lambda found: names[found[0]], name)

    return renamed


def copied_value(value: Value, tasks: int) -> Value:
    """A value in a copy that many tasks further on."""
    return value.after(shifted(value.ready, tasks))


def copied_spread(spread: Spread, copy: Copy, tasks: int) -> Spread:
    """A result in a copy that many tasks further on."""
    values = tuple(None if value is None else copied_value(value, tasks) for value in spread.values)
    pus = tuple([pu + copy.pus for pu in spread.pus])
    return Spread(copy.name(spread.name), pus, values, spread.split, spread.gaps)


def equal_spreads(some: Spread, other: Spread) -> bool:
    """Whether two results are the same."""
    return (
        (some.name, some.pus, some.split, some.gaps) == (other.name, other.pus, other.split, other.gaps)
        and len(some.values) == len(other.values)
        and all(map(_equal_values, some.values, other.values))
    )


def names_of(group: Group) -> tuple[str, ...]:
    """The ids of a group's operations."""
    return tuple([op.id for op in group.operations])


def _equal_values(some: Value | None, other: Value | None) -> bool:
    if some is None or other is None:
        return some is other
    rest = [(each.bits, each.at, each.partial_sums, each.slots, each.fetch) for each in (some, other)]
    return (
        rest[0] == rest[1]
        and np.array_equal(some.ready, other.ready)
        and np.array_equal(some.width, other.width)
    )


def _placed_on(run: Sequence[Group], group: Group, machine: Machine) -> bool:
    """Whether ``group`` stands to the last of ``run`` as that one does to the one before."""
    last = run[-1]
    if (
        (group.sort, group.slots) != (last.sort, last.slots)
        or None in (group.layer, last.layer)
        or len(group.pus) != len(last.pus)
    ):
        return False
    strides = {pu - old for old, pu in zip(last.pus, group.pus, strict=True)}
    if len(run) > 1:
        strides.add(last.pus[0] - run[-2].pus[0])
    chips = {pu // machine.pus for pu in (*last.pus, *group.pus)}
    return len(strides) == len(chips) == 1 and not set(last.pus) & set(group.pus)
