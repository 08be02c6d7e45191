"""The critical path of a run: the chain of tasks that decided when an inference left.

The chain is walked back from the exit through whatever bound each start:

- A task that started in the cycle in which it became ready was bound by a predecessor: the one whose
  finish (or start, where the edge is start-to-start) made it ready.
- A task that became ready earlier was bound by its queue: by the task that held the server until then.

Each task on the path accounts for the cycles from its start to the start of the next one: its latency, if
the next one waited for its result; its occupancy, if the next one waited for its server; none, if the
next one waited for its start. So every cycle from 0 to the end belongs to exactly one task, and any
breakdown of them sums to the latency.

In the first case the cycles are work that the result depends on; in the second they are *waiting* for a
busy server: the price of sharing, which more servers or copies would lower. A task that stands behind one
of the same operation, token and PU, such as a read of an MVM behind the one before it, is at work all the
same.

Ties: a predecessor goes before a holder, a finish before a start, an earlier task number before a later one.
A task that held the server for no time is no holder: the one ahead of it released the server in the same
cycle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim.native import Native
from archsim.sim.engine import Links, Queues
from archsim.sim.fast_layout import Int32, Int64
from archsim.task_graph import TaskGraph

UNKNOWN = -1
"""No task."""

_walk = Native("archsim.sim.fast_path", "walk")


class Ran(NamedTuple):
    """When tasks started, how long they took, and where they queued, -1 for a join; (tasks,) each."""

    start: Int64
    latency: Int32
    occupancy: Int32
    queue: Int64


class Walk(NamedTuple):
    """What the walk finds out; UNKNOWN at first.

    Args: bound: (tasks,) the predecessor that let a task start, if one did; newest: (queues,) the last task
        of each queue that is not yet in a list; first: (a power of two,) the first task of each list of tasks
        by when they released their queue; earlier: (tasks,) the one before of the same queue, or the next one
        of the same list; path: (tasks,) the path, from the exit on.
    """

    bound: Int32
    newest: Int32
    first: Int32
    earlier: Int32
    path: Int32


@dataclass(frozen=True, slots=True, eq=False)
class CriticalPath:
    """The tasks that decided the end of a run, the first to start first.

    Args: tasks: (steps,) from the entry to the exit; cycles: (steps,) that each accounts for, from its
        start to the start of the next one; waiting: (steps,) whether the next one waited for the server
        that this one held, and not for this one's result.
    """

    tasks: NDArray[np.int64]
    cycles: NDArray[np.int64]
    waiting: NDArray[np.bool_]

    @property
    def total_cycles(self) -> int:
        """From cycle 0 to the end of the inference."""
        return int(self.cycles.sum())


def critical_path(graph: TaskGraph, start: NDArray[np.int64]) -> CriticalPath:
    """The path of one inference that ran in an empty machine.

    Args: start: (tasks,) cycles at which its tasks did.
    Raises: ValueError: when no task was bound like that, as in a stream, where others hold the servers.
    """
    tasks, queued = _walked(graph, start)
    end = start[tasks[-1]]
    cycles = np.diff(start[tasks], append=end)
    earlier, later = tasks[:-1], tasks[1:]
    same = graph.pu[later] >= 0
    for tag in (graph.operation, graph.token, graph.pu):
        same &= tag[earlier] == tag[later]
    return CriticalPath(tasks, cycles, np.append(queued[1:] & ~same, False))


def _walked(graph: TaskGraph, start: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(steps,) the path, and whether a queue bound each of its tasks."""
    tasks, queues = len(graph), Queues.of(graph)
    places = (tasks, len(queues.resource), 1 << tasks.bit_length(), tasks, tasks)
    found = Walk(*(np.full(each, UNKNOWN, dtype=np.int32) for each in places))
    links = Links.of(graph.on_start), Links.of(graph.on_finish)
    steps = _walk(*links, Ran(start, graph.latency, graph.occupancy, queues.dealt(0)), found)
    if steps < 0:
        raise ValueError(f"nothing of the inference itself explains when task {tasks + steps} started")
    path = found.path[:steps][::-1].astype(np.int64)
    return path, found.bound[path] == UNKNOWN
