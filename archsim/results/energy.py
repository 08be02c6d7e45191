"""Energy: action counts of a task graph times what each action charges; and power over time."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.cost.entry import Charge
from archsim.graph_blocks import ActionCount
from archsim.native import Native
from archsim.task_graph import TaskGraph

_fold = Native("archsim.results.fast_fold", "fold")
_fullest = Native("archsim.results.fast_fold", "fullest")

_SLICE = 1 << 20
"""Windows that are looked at together, which bounds the memory."""

_CYCLES_A_TASK = 4
"""Cycles of a period up to which it is looked at cycle by cycle: sorting the tasks would take longer."""

_MARKS_A_TASK = 32
"""Cycles of an inference up to which the instants are found among its cycles, for the same reason."""

_MOST_MARKS = 1 << 22
"""As many cycles at most, which bounds the memory."""

STATIC = "static"
"""The row of each breakdown that leakage stands in."""

OUTSIDE = "outside"
"""The row of the breakdown by layer for operations that belong to none."""


@dataclass(frozen=True, slots=True)
class Breakdown:
    """One inference's energy in pJ, by three keys; each table sums to the whole."""

    by_component: dict[str, float]
    by_operation: dict[str, float]
    by_layer: dict[str, float]

    @property
    def total(self) -> float:
        """The whole energy."""
        return sum(self.by_component.values())

    def with_static(self, energy_pj: float) -> Breakdown:
        """The same with leakage as a row of each table."""
        return Breakdown(
            self.by_component | {STATIC: energy_pj},
            self.by_operation | {STATIC: energy_pj},
            self.by_layer | {STATIC: energy_pj},
        )


def action_counts(graph: TaskGraph) -> dict[str, float]:
    """How often one inference does each action."""
    counts: dict[str, float] = {}
    for block in graph.actions:
        counts[block.action] = counts.get(block.action, 0.0) + block.total
    return counts


def dynamic_energy(
    graph: TaskGraph, counts: Mapping[str, float], charges: Mapping[str, tuple[Charge, ...]]
) -> Breakdown:
    """The energy of all actions of one inference.

    Args: counts: how often it does each.
    """
    component: dict[str, float] = {}
    for action, count in counts.items():
        for charge in charges[action]:
            component[charge.component] = component.get(charge.component, 0.0) + count * charge.energy_pj
    prices = _prices(charges)
    spent: dict[tuple[int, int, int], float] = {}
    for block in graph.actions:
        if charges[block.action]:
            tasks = (block.first, block.copies, block.stride)
            spent[tasks] = spent.get(tasks, 0.0) + block.total * prices[block.action]
    first, copies, stride = np.array(list(spent), dtype=np.int64).reshape(-1, 3).T
    number = np.arange(copies.sum()) - np.repeat(np.cumsum(copies) - copies, copies)
    operations = graph.operation[np.repeat(first, copies) + number * np.repeat(stride, copies)]
    energies = np.repeat(np.array(list(spent.values())) / copies, copies)
    by_operation = np.bincount(operations, energies, len(graph.operations))
    spending = np.bincount(operations, minlength=len(graph.operations))

    def table(names: tuple[str, ...]) -> dict[str, float]:
        some = summed(names, spending)
        return {name: energy for name, energy in summed(names, by_operation).items() if some[name]}

    return Breakdown(component, table(operation_names(graph)), table(layer_names(graph)))


def summed(names: tuple[str, ...], values: NDArray[Any]) -> dict[str, float]:
    """Values by name, those of the same name together."""
    different, place = _places(names)
    return dict(zip(different, np.bincount(place, values, len(different)).tolist(), strict=True))


@lru_cache(maxsize=4)
def layer_rows(layers: tuple[int, ...]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The rows of breakdowns by layer in their order, and (operations,) which of them each belongs to.

    Args: layers: of a graph.
    """
    in_order = sorted(set(layers), key=lambda layer: (layer < 0, layer))
    rows = {layer: row for row, layer in enumerate(in_order)}
    names = tuple(OUTSIDE if layer < 0 else f"l{layer}" for layer in in_order)
    return names, np.array([rows[layer] for layer in layers], dtype=np.int64)


@lru_cache(maxsize=8)
def _places(names: tuple[str, ...]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The different names, and which of them each is: a sweep asks for the same ones at every point."""
    places = {name: place for place, name in enumerate(dict.fromkeys(names))}
    return tuple(places), np.array([places[name] for name in names], dtype=np.int64)


def operation_name(graph: TaskGraph, operation: int) -> str:
    """An operation's name without the layer that it is in: ``q`` for ``l3.q``."""
    return graph.operations[operation].removeprefix(f"l{graph.layers[operation]}.")


def operation_names(graph: TaskGraph) -> tuple[str, ...]:
    """(operations,) the name of each without its layer."""
    return _names(graph.operations, graph.layers)[0]


def layer_names(graph: TaskGraph) -> tuple[str, ...]:
    """(operations,) the row of each in breakdowns by layer."""
    return _names(graph.operations, graph.layers)[1]


@lru_cache(maxsize=4)
def _names(operations: tuple[str, ...], layers: tuple[int, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names without layers, and those of layers: a sweep asks for the same ones at every point."""
    rows = tuple(OUTSIDE if layer < 0 else f"l{layer}" for layer in layers)
    own = (name.removeprefix(f"l{layer}.") for name, layer in zip(operations, layers, strict=True))
    return tuple(own), rows


def task_energy(graph: TaskGraph, charges: Mapping[str, tuple[Charge, ...]]) -> NDArray[np.float64]:
    """(tasks,) energy of each task in pJ."""
    energy = np.zeros(len(graph))
    prices = _prices(charges)
    for blocks in _by_tasks(graph):
        # what the same tasks do is summed up before it is written: most counts are one number for all
        spent: NDArray[np.float64] | float = 0.0
        for block in blocks:
            spent = spent + prices[block.action] * block.count
        energy[block.first : block.first + block.tasks] += spent
    for alike in graph.alike:
        # the copies are copies of the second
        copies = energy[alike.begin(1) : alike.begin(alike.copies)].reshape(-1, alike.tasks)
        copies[1:] = copies[0]
    return energy


def _prices(charges: Mapping[str, tuple[Charge, ...]]) -> dict[str, float]:
    """What each action costs in all components together, in pJ."""
    return {action: sum(charge.energy_pj for charge in each) for action, each in charges.items()}


def _by_tasks(graph: TaskGraph) -> Iterator[list[ActionCount]]:
    """The counts of actions, those of the same tasks together."""
    for _, blocks in groupby(graph.actions, key=attrgetter("first", "tasks", "copies")):
        yield list(blocks)


def peak_power_mw(
    energy: NDArray[np.float64],
    start: NDArray[np.int64],
    occupancy: NDArray[np.int32],
    period_cycles: float,
    window_cycles: float,
    clock_ghz: float,
) -> float:
    """The largest mean dynamic power in any window of a stream that repeats every ``period_cycles``.

    Args: energy: (tasks,) pJ, spent evenly while a task holds its resource; start: (tasks,) of one
        inference in the settled stream. Its schedule is folded onto one period.
    """
    whole, part = divmod(window_cycles, period_cycles)
    in_cycles = period_cycles % 1 == 0 and part % 1 == 0
    if in_cycles and period_cycles <= _CYCLES_A_TASK * len(energy):
        changes = _changes_by_cycle(energy, start, occupancy, int(period_cycles))
        total, fullest = energy.sum(), _fullest_cycles(changes, int(part))
    else:
        time, spent = _folded_energy(energy, start, occupancy, period_cycles)
        total = spent[-1]
        fullest = max(
            _fullest_window(time, spent, slice(first, first + _SLICE), part)
            for first in range(0, len(time), _SLICE)
        )
    return float((whole * total + fullest) / (window_cycles / clock_ghz))


def _changes_by_cycle(
    energy: NDArray[np.float64], start: NDArray[np.int64], occupancy: NDArray[np.int32], period: int
) -> NDArray[np.float64]:
    """(period,) the change of power at each cycle of one period, in the first from none; see ``_folded``."""
    begun, ended, ahead = np.zeros(period), np.zeros(period), np.empty(len(energy))
    _fold(energy, start, occupancy, begun, ended, ahead)
    begun -= ended
    begun[0] += ahead.sum()
    return begun


def _fullest_cycles(changes: NDArray[np.float64], part: int) -> float:
    """The most energy in ``part`` cycles of a period, by the changes of power at its cycles."""
    if not part:
        return 0.0
    found = np.zeros(1)
    _fullest(changes, np.empty(part), found)
    return float(found[0])


def _fullest_window(time: NDArray[np.float64], spent: NDArray[np.float64], some: slice, part: float) -> float:
    """The most energy in a window of ``part`` cycles that begins or ends at some of the instants.

    Power is constant in between: the fullest window begins or ends where it changes.
    """
    period, total = time[-1], spent[-1]
    instant, until = time[some], spent[some]
    end, begin = instant + part, instant - part
    over, under = end >= period, begin < 0
    from_here = np.interp(np.where(over, end - period, end), time, spent) + over * total - until
    to_here = until + under * total - np.interp(np.where(under, begin + period, begin), time, spent)
    return float(max(from_here.max(), to_here.max()))


def _folded_energy(
    energy: NDArray[np.float64], start: NDArray[np.int64], occupancy: NDArray[np.int32], period: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Instants of one period at which power changes, 0 and the end included, and the energy until then."""
    spending = np.flatnonzero(energy > 0)
    length = np.maximum(occupancy[spending], 1)
    begin, power = start[spending], energy[spending] / length
    end = begin + length
    most = min(period, _MARKS_A_TASK * len(begin), _MOST_MARKS)
    inside = begin.min(initial=0) >= 0 and end.max(initial=0) <= most
    time, power = _marked(begin, end, power) if inside else _folded(begin, end, power, period)
    del begin, end  # of large graphs each takes a tenth of a gigabyte
    length = np.diff(time, append=period)
    power *= length
    spent = np.concatenate([[0.0], np.cumsum(power)])
    # of each instant the last: many tasks begin and end together
    last = np.append(np.flatnonzero(length != 0), len(length))
    return np.append(time, period)[last], spent[last]


def _marked(
    begin: NDArray[np.int64], end: NDArray[np.int64], power: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """As ``_folded``, of tasks that lie in one period: marking their cycles puts them in order."""
    marks = np.zeros(end.max(initial=0) + 1, dtype=bool)
    marks[0] = marks[begin] = marks[end] = True
    time = np.flatnonzero(marks)
    place = np.empty(len(marks), dtype=np.int32)
    place[time] = np.arange(len(time))
    change = np.bincount(place[begin], power, len(time)) - np.bincount(place[end], power, len(time))
    return time.astype(np.float64), np.cumsum(change, dtype=np.float64)


def _folded(
    begin: NDArray[np.int64], end: NDArray[np.int64], power: NDArray[np.float64], period: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Instants of one period, 0 first, and the power from each of them on.

    At the phase x, a task from b to e runs in floor(e / period) - floor(b / period) inferences, one more
    from the phase of b on, one less from that of e on.
    """
    # whole numbers are divided five times as fast, and nothing is lost either way
    lap = int(period) if period % 1 == 0 else period
    laps_before, begin = np.divmod(begin, lap)
    laps, end = np.divmod(end, lap)
    ahead = ((laps - laps_before) * power).sum()
    del laps, laps_before
    phase = np.concatenate([begin, end])
    change = np.concatenate([power, -power])
    order = _stable_order(phase)
    time = np.concatenate([[0.0], phase[order]])
    return time, np.cumsum(np.concatenate([[ahead], change[order]]))


def _stable_order(values: NDArray[Any]) -> NDArray[np.intp]:
    """The stable order of numbers of 64 bits that are not negative, ten times as fast as comparing them.

    Their bits are ordered as they are, and numpy sorts integers of 16 bits in linear time: least
    significant digit first. Cycles that are whole differ in two of the four digits.
    """
    digits = values.view(np.uint16).reshape(len(values), 4)
    order: NDArray[np.intp] | None = None
    for digit in range(4) if sys.byteorder == "little" else range(3, -1, -1):
        column = digits[:, digit]
        if (column != column[:1]).any():
            sorts = np.argsort(column if order is None else column[order], kind="stable")
            order = sorts if order is None else order[sorts]
    return np.arange(len(values)) if order is None else order
