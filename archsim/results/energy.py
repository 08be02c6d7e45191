"""Energy: action counts of a task graph times what each action charges; and power over time."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from archsim.cost.entry import Charge
from archsim.graph_blocks import ActionCount
from archsim.task_graph import TaskGraph

_SLICE = 1 << 20
"""Windows that are looked at together, which bounds the memory."""

_CYCLES_A_TASK = 4
"""Cycles of a period up to which it is looked at cycle by cycle: sorting the tasks would take longer."""

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


def dynamic_energy(graph: TaskGraph, charges: Mapping[str, tuple[Charge, ...]]) -> Breakdown:
    """The energy of all actions of one inference."""
    component: dict[str, float] = {}
    for action, count in action_counts(graph).items():
        for charge in charges[action]:
            component[charge.component] = component.get(charge.component, 0.0) + count * charge.energy_pj
    spent, charged = np.zeros(len(graph.operations)), np.zeros(len(graph.operations), dtype=bool)
    prices = _prices(charges)
    for blocks in _by_tasks(graph):
        priced = [block for block in blocks if charges[block.action]]
        if priced:
            operations = graph.operation[priced[0].firsts]
            energy_pj = sum(block.total * prices[block.action] for block in priced)
            np.add.at(spent, operations, energy_pj / priced[0].copies)
            charged[operations] = True
    operation: dict[str, float] = {}
    layer: dict[str, float] = {}
    for index in np.flatnonzero(charged).tolist():
        name, number, energy = operation_name(graph, index), graph.layers[index], float(spent[index])
        row = OUTSIDE if number < 0 else f"l{number}"
        operation[name] = operation.get(name, 0.0) + energy
        layer[row] = layer.get(row, 0.0) + energy
    return Breakdown(component, operation, layer)


def operation_name(graph: TaskGraph, operation: int) -> str:
    """An operation's name without the layer that it is in: ``q`` for ``l3.q``."""
    return graph.operations[operation].removeprefix(f"l{graph.layers[operation]}.")


def task_energy(graph: TaskGraph, charges: Mapping[str, tuple[Charge, ...]]) -> NDArray[np.float64]:
    """(tasks,) energy of each task in pJ."""
    # behind the last copy is room for a whole stride: all copies are then rows of one table
    energy = np.zeros(len(graph) + max((block.stride for block in graph.actions), default=0))
    prices = _prices(charges)
    for blocks in _by_tasks(graph):
        # what the same tasks do is summed up before it is written: most counts are one number for all
        spent: NDArray[np.float64] | float = 0.0
        for block in blocks:
            spent = spent + prices[block.action] * block.count
        copies, stride = block.copies, block.stride or block.tasks
        table = energy[block.first : block.first + copies * stride].reshape(copies, stride)
        table[:, : block.tasks] += spent
    return energy[: len(graph)]


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
        in_cycle = _energy_by_cycle(energy, start, occupancy, int(period_cycles))
        total, fullest = energy.sum(), _fullest_cycles(in_cycle, int(part))
    else:
        time, spent = _folded_energy(energy, start, occupancy, period_cycles)
        total = spent[-1]
        fullest = max(
            _fullest_window(time, spent, time[first : first + _SLICE], part)
            for first in range(0, len(time), _SLICE)
        )
    return float((whole * total + fullest) / (window_cycles / clock_ghz))


def _energy_by_cycle(
    energy: NDArray[np.float64], start: NDArray[np.int64], occupancy: NDArray[np.int32], period: int
) -> NDArray[np.float64]:
    """(period,) the energy of each cycle of one period; see ``_folded_energy``."""
    length = np.maximum(occupancy, 1)
    power = energy / length
    end = start + length
    laps_before, laps = start // period, end // period
    change = np.bincount(start - laps_before * period, power, period)
    change -= np.bincount(end - laps * period, power, period)
    laps -= laps_before
    change[0] += (laps * power).sum()
    return np.cumsum(change)


def _fullest_cycles(in_cycle: NDArray[np.float64], part: int) -> float:
    """The most energy in ``part`` cycles of a period: power is constant in each cycle.

    In rows of that many cycles, a window is the rest of a row and as much of the next one as is missing.
    Sums over the whole period would lose digits of what is in a window.
    """
    if not part:
        return 0.0
    rows = 1 + -(-len(in_cycle) // part)
    until = np.cumsum(np.resize(in_cycle, (rows, part)), axis=1)
    return float((until[:-1, -1:] - until[:-1] + until[1:]).max())


def _fullest_window(
    time: NDArray[np.float64], spent: NDArray[np.float64], change: NDArray[np.float64], part: float
) -> float:
    """The most energy in a window of ``part`` cycles that begins or ends at one of the instants ``change``.

    Power is constant in between: the fullest window begins or ends where it changes.
    """
    period, most = time[-1], 0.0
    for begin in (change, (change - part) % period):
        end = begin + part
        wraps = end >= period
        energy = np.interp(np.where(wraps, end - period, end), time, spent) + wraps * spent[-1]
        most = max(most, float((energy - np.interp(begin, time, spent)).max()))
    return most


def _folded_energy(
    energy: NDArray[np.float64], start: NDArray[np.int64], occupancy: NDArray[np.int32], period: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Instants of one period at which the power changes, 0 and the end included, and the energy until then.

    At the phase x, a task from b to e runs in floor(e / period) - floor(b / period) inferences, one more
    from the phase of b on, one less from that of e on.
    """
    spending = np.flatnonzero(energy > 0)
    begin = start[spending].astype(np.float64)
    end = begin + np.maximum(occupancy[spending], 1)
    power = energy[spending] / (end - begin)
    laps_before, begin = np.divmod(begin, period)
    laps, end = np.divmod(end, period)
    laps -= laps_before
    laps *= power
    ahead = laps.sum()
    phase = np.concatenate([begin, end])
    change = np.concatenate([power, -power])
    del begin, end, power, laps, laps_before  # of large graphs each takes a tenth of a gigabyte
    order = _stable_order(phase)
    time = np.concatenate([[0.0], phase[order], [period]])
    change = np.concatenate([[ahead], change[order]])
    del phase, order
    np.cumsum(change, out=change)
    length = np.diff(time)
    change *= length
    spent = np.concatenate([[0.0], np.cumsum(change)])
    # of each instant the last: many tasks begin and end together
    last = np.append(np.flatnonzero(length != 0), len(length))
    return time[last], spent[last]


def _stable_order(values: NDArray[np.float64]) -> NDArray[np.intp]:
    """The stable order of numbers that are not negative, ten times as fast as a sort that compares them.

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
