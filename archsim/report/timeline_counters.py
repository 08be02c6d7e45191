"""The counters of a timeline: the power of each chip, and the bytes that move on it, over time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archsim.cost.entry import Charge
from archsim.results.energy import task_energy
from archsim.results.utilisation import MOVED_BIT
from archsim.task_graph import TaskGraph

INTERVALS = 1000
"""Means that a counter consists of: about what a screen shows."""

POWER = "power (mW)"
"""The name of the counters of dynamic power."""

_CHUNK = 1 << 20  # tasks that are summed up at a time
_DUST = 1e-9  # of the largest mean: what is left of sums that cancel


@dataclass(frozen=True, slots=True, eq=False)
class Counter:
    """One quantity of one chip over time, as means over intervals.

    Args: name: with its unit; edges: (intervals + 1,) cycles; series: (intervals,) means by class of
        resources, only of classes that have any.
    """

    chip: int
    name: str
    edges: NDArray[np.int64]
    series: dict[str, NDArray[np.float64]]


def counters(
    graph: TaskGraph,
    start: NDArray[np.int64],
    prices: Mapping[str, tuple[Charge, ...]],
    clock_ghz: float,
    span: tuple[int, int],
) -> Iterator[Counter]:
    """Dynamic power in mW and traffic in bytes a second of each chip in the cycles of ``span``.

    Energy and bytes of a task are spread evenly over the cycles for which it holds its resource; what
    leaks is not counted. The area below a counter is the energy, or the bytes.
    """
    classes = sorted({resource.part for resource in graph.resources})
    chips = sorted({resource.place.chip for resource in graph.resources})
    shape = len(chips), len(classes)
    groups = [chips.index(each.place.chip) * shape[1] + classes.index(each.part) for each in graph.resources]
    edges = _edges(span)
    width_ns = np.diff(edges) / clock_ghz
    # a picojoule a nanosecond is a milliwatt, a byte a nanosecond is 10^9 bytes a second
    for name, amount, unit in (
        (POWER, task_energy(graph, prices), 1.0),
        ("traffic (bytes/s)", _moved_bytes(graph), 1e9),
    ):
        sums = _sums(graph, start, amount, np.array(groups), edges, shape)
        for chip, rows in zip(chips, sums * (unit / width_ns), strict=True):
            series = {kind: row for kind, row in zip(classes, rows, strict=True) if row.any()}
            if series:
                yield Counter(chip, name, edges, series)


def _edges(span: tuple[int, int]) -> NDArray[np.int64]:
    """Where the intervals begin and end: equal ones of whole cycles, of which the last may be shorter."""
    first, last = span
    width = max(1, -(-(last - first) // INTERVALS))
    return np.append(np.arange(first, last, width, dtype=np.int64), last)


def _moved_bytes(graph: TaskGraph) -> NDArray[np.float64]:
    """(tasks,) bytes that each task moves."""
    moved = np.zeros(len(graph))
    for counted in graph.actions:
        if counted.action.endswith(MOVED_BIT):
            for block in counted.apart():
                moved[block.first : block.first + block.tasks] += np.asarray(block.count) / 8
    return moved


def _sums(
    graph: TaskGraph,
    start: NDArray[np.int64],
    amount: NDArray[np.float64],
    group_of: NDArray[np.int64],
    edges: NDArray[np.int64],
    shape: tuple[int, int],
) -> NDArray[np.float64]:
    """(*shape, intervals) what the tasks of each group of resources contribute to each interval.

    Args: group_of: (resources,) flat index into ``shape``.
    """
    intervals = len(edges) - 1
    within = np.zeros(shape[0] * shape[1] * (intervals + 1))
    rates = np.zeros_like(within)
    for first in range(0, len(graph), _CHUNK):
        some = slice(first, first + _CHUNK)
        real = np.flatnonzero(amount[some] > 0) + first
        begin, group = start[real], group_of[graph.resource[real]]
        duration = np.maximum(graph.occupancy[real], 1)
        rate = amount[real] / duration
        for instant, change in ((begin, rate), (begin + duration, -rate)):
            # from this instant on, the rate is larger by the change: in part of this interval, in all later
            instant = np.clip(instant, edges[0], edges[-1])
            interval = np.searchsorted(edges, instant, side="right") - 1
            cell = group * (intervals + 1) + interval
            until = edges[np.minimum(interval + 1, intervals)]
            within += np.bincount(cell, change * (until - instant), len(within))
            rates += np.bincount(cell, change, len(rates))
    later = np.cumsum(rates.reshape(*shape, -1)[..., :-2], axis=-1)
    sums = within.reshape(*shape, -1)[..., :-1]
    sums[..., 1:] += later * np.diff(edges)[1:]
    sums[sums < _DUST * sums.max(axis=-1, keepdims=True)] = 0
    return sums
