"""Timetables: when the tasks of an inference start that others follow at an interval, for ever.

A machine can keep a timetable where every task starts after what it waits for, and no server ever holds more
tasks than it can. First-come-first-served schedules are monotone (Baccelli, Cohen, Olsder and Quadrat,
Synchronization and Linearity, 1992): a machine that serves its queues in the order of a timetable is never
behind it. So one that can be kept at the least interval that the machine allows tells the interval.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim.native import Native
from archsim.sim.engine import Queues
from archsim.sim.fast_engine import program_of
from archsim.sim.fast_layout import Int32, Int64
from archsim.task_graph import JOIN, TaskGraph

_MOST_SERVED = 6
"""Times that all tasks may be served or moved before a timetable is taken to be one that cannot be kept."""

_crossings = Native("archsim.sim.fast_timetable", "crossings")
_keep = Native("archsim.sim.fast_timetable", "keep")


class Lines(NamedTuple):
    """The queues of a machine in the order in which they serve the tasks that start in one period.

    Args: first: (queues + 1,) places in ``order`` at which each queue begins; order: (tasks,) by queue and by
        when in a period they start; servers: (queues,) no more than its tasks can hold; queue: (tasks,) -1
        for a join; turn: (tasks,) by how many periods the inference of each task is behind the one that
        enters; earlier: (far edges of rows,) cycles by which the inferences are apart that these lead from
        and to; laps: periods, begun ones counted, for which a task holds a server at most.
    """

    first: Int64
    order: Int32
    servers: Int64
    queue: Int64
    turn: Int64
    earlier: Int64
    laps: int


class Room(NamedTuple):
    """Room to work in: when servers are free; queues to be served; tasks that were put off."""

    free: Int64
    late: Int32
    is_late: NDArray[np.uint8]
    moved: Int32
    is_moved: NDArray[np.uint8]


def crossings(graph: TaskGraph, resources: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(tasks,) how many tasks of some resources are before each task, on the way with most of them."""
    chosen = np.append(resources, False)[graph.resource]  # a join has none, and takes the last
    found = np.zeros(len(graph), dtype=np.int64)
    _crossings(program_of(graph), chosen.astype(np.int64), found)
    return found


def can_be_kept(graph: TaskGraph, start: NDArray[np.int64], period: int) -> bool:
    """Whether a timetable can be kept when tasks are put off, which is done.

    Args: start: (tasks,) everything is after what it waits for; period: cycles from inference to inference.
    """
    queues = Queues.of(graph)
    if queues.shifts(1).any():
        return False  # each inference is served by other copies than the one before
    program, queue = program_of(graph), queues.dealt(0)
    turn = start // period
    bits = len(graph).bit_length()
    if (len(queues.resource) + 1) * period >= 1 << 63 - bits:
        return False  # too long to be put in order
    order = ((queue + 1) * period + start - turn * period << bits) + np.arange(len(graph))
    order.sort()
    first = np.cumsum(np.bincount(queue - JOIN, minlength=len(queues.resource) + 1))
    servers = queues.servers
    if (np.bincount(queue - JOIN, graph.occupancy, len(servers) + 1)[1:] > servers * period).any():
        return False
    laps = max(1, -(-int(graph.occupancy.max()) // period))
    servers = np.minimum(servers, laps * np.diff(first))
    lines = Lines(
        first=first,
        order=(order & (1 << bits) - 1).astype(np.int32),
        servers=servers,
        queue=queue,
        turn=turn,
        earlier=program.later[:, 1].astype(np.int64) * period,
        laps=laps,
    )
    room = Room(
        free=np.empty(int(servers.max(initial=0)), dtype=np.int64),
        late=np.empty(len(servers), dtype=np.int32),
        is_late=np.zeros(len(servers), dtype=np.uint8),
        moved=np.empty(len(graph), dtype=np.int32),
        is_moved=np.zeros(len(graph), dtype=np.uint8),
    )
    return _keep(program, lines, room, start, period, _MOST_SERVED * len(graph)) == 1
