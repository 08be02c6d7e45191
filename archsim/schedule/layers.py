"""Equal layers: which groups of a plan differ in nothing but names and PUs, and what is what in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from archsim.graph_blocks import Copy, shifted
from archsim.hardware.machine import Machine
from archsim.mapping.plan import Group
from archsim.parts.part import Value
from archsim.schedule.spread import Spread
from archsim.workload.operations import Operation, Trace


def equal_runs(groups: Sequence[Group], machine: Machine, trace: Trace) -> Iterator[tuple[Group, ...]]:
    """All groups in their order, those together that are equal but for names and PUs.

    All of a run are on one chip, each as many PUs on as the one before. Each takes its operands from itself
    or the one before, all alike, and none but the last gives a result to others or to the host.
    """
    consumers: dict[str, set[str]] = {op.id: set() for op in trace.operations}
    for op in trace.operations:
        for producer in op.after:
            consumers[producer].add(op.id)
    run: list[Group] = []
    for group in groups:
        if run and not (_placed_on(run, group, machine) and _fed_on(run, group, consumers)):
            yield tuple(run)
            run = []
        run.append(group)
    yield tuple(run)


def copy_of(group: Group, other: Group) -> Copy:
    """What makes the tasks of ``group`` those of ``other``, which is equal but for names and PUs."""
    names = dict(zip(operations_of(group), operations_of(other), strict=True))
    ids = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    whole = re.compile(rf"(?<!\w)(?:{ids})(?!\w)")
    layers = (other.layer or 0) - (group.layer or 0)
    pus = other.pus[0] - group.pus[0]
    return Copy(pus, layers, lambda name: whole.sub(lambda found: names[found[0]], name))


def copied_value(value: Value, tasks: int) -> Value:
    """A value in a copy that many tasks further on."""
    return replace(value, ready=shifted(value.ready, tasks))


def copied_spread(spread: Spread, copy: Copy, tasks: int) -> Spread:
    """A result in a copy that many tasks further on."""
    values = tuple(None if value is None else copied_value(value, tasks) for value in spread.values)
    return Spread(copy.name(spread.name), tuple(pu + copy.pus for pu in spread.pus), values, spread.split)


def equal_spreads(some: Spread, other: Spread) -> bool:
    """Whether two results are the same."""
    return (
        (some.name, some.pus, some.split) == (other.name, other.pus, other.split)
        and len(some.values) == len(other.values)
        and all(map(_equal_values, some.values, other.values))
    )


def operations_of(group: Group) -> dict[str, Operation]:
    """The operations of a group by their ids, in order."""
    return {step.op.id: step.op for step in group.steps}


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
    if group.sort != last.sort or None in (group.layer, last.layer) or len(group.pus) != len(last.pus):
        return False
    strides = {pu - old for old, pu in zip(last.pus, group.pus, strict=True)}
    if len(run) > 1:
        strides.add(last.pus[0] - run[-2].pus[0])
    chips = {pu // machine.pus for pu in (*last.pus, *group.pus)}
    return len(strides) == len(chips) == 1 and not set(last.pus) & set(group.pus)


def _fed_on(run: Sequence[Group], group: Group, consumers: dict[str, set[str]]) -> bool:
    """Whether ``group`` takes its operands from the last of ``run`` as that one does from the one before."""
    last, own = operations_of(run[-1]), operations_of(group)
    both = last.keys() | own.keys()
    if any(not op.after or op.expert is not None or op.kind == "route" for op in own.values()):
        return False
    if not all(consumers[name] and consumers[name] <= both for name in last):
        return False
    feeds = _feeds(last, own)
    return feeds is not None and (len(run) < 2 or feeds == _feeds(operations_of(run[-2]), last))


def _feeds(before: dict[str, Operation], group: dict[str, Operation]) -> list[list[int]] | None:
    """Of each operation the places of its producers, in the group before or its own; None: elsewhere."""
    places = {name: place for place, name in enumerate((*before, *group))}
    feeds = [[places.get(producer, -1) for producer in op.after] for op in group.values()]
    return None if any(-1 in producers for producers in feeds) else feeds
