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

import numpy as np
from numpy.typing import NDArray

from archsim.native import Native
from archsim.sim.engine import Queues
from archsim.task_graph import TaskGraph

_UNKNOWN = -1

_bind = Native("archsim.sim.fast_path", "bind")


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
    bound = _bound_by_predecessors(graph, start)
    queued = bound == _UNKNOWN
    tasks = _walk(graph, start, bound)
    end = start[tasks[-1]]
    cycles = np.diff(start[tasks], append=end)
    earlier, later = tasks[:-1], tasks[1:]
    same = graph.pu[later] >= 0
    for tag in (graph.operation, graph.token, graph.pu):
        same &= tag[earlier] == tag[later]
    return CriticalPath(tasks, cycles, np.append(queued[later] & ~same, False))


def _bound_by_predecessors(graph: TaskGraph, start: NDArray[np.int64]) -> NDArray[np.int32]:
    """(tasks,) which predecessor bound each start, _UNKNOWN where none did."""
    bound = np.full(len(graph), _UNKNOWN, dtype=np.int32)
    # what is noted last stays: a finish
    for edges, allowed in ((graph.on_start, start), (graph.on_finish, start + graph.latency)):
        _bind(edges.first, edges.target, edges.distance, allowed, start, bound)
    return bound


def _walk(graph: TaskGraph, start: NDArray[np.int64], bound: NDArray[np.int32]) -> NDArray[np.int64]:
    """(steps,) the path, from the entry to the exit."""
    holders = _Holders(graph, start, bound)
    before = bound.data
    entry, task = graph.entry, graph.exit
    path = [task]
    while task != entry:
        if before[task] == _UNKNOWN:
            holders.find(task)
        task = before[task]
        path.append(task)
    return np.array(path[::-1], dtype=np.int64)


class _Holders:
    """Finds which task held the server that a task waited for, queue by queue as the walk comes to them."""

    def __init__(self, graph: TaskGraph, start: NDArray[np.int64], bound: NDArray[np.int32]) -> None:
        self._start = start
        self._release = start + graph.occupancy
        self._bound = bound
        self._queue = Queues.of(graph).dealt(0)
        queues = int(self._queue.max(initial=0)) + 1
        # numpy sorts small integers in linear time
        small = (self._queue + 1).astype(np.min_scalar_type(queues))
        self._order = np.argsort(small, kind="stable")
        self._first = np.cumsum(np.bincount(small, minlength=queues + 1))

    def find(self, task: int) -> None:
        """Note the holder for every task of this one's queue that no predecessor bound."""
        queue = self._queue[task]
        served = self._order[self._first[queue] : self._first[queue + 1]]
        late = served[self._bound[served] == _UNKNOWN]
        holding = served[self._release[served] > self._start[served]]
        holding = holding[np.argsort(self._release[holding], kind="stable")]
        place = np.searchsorted(self._release[holding], self._start[late])
        holder = holding[np.minimum(place, len(holding) - 1)]
        if (self._release[holder] != self._start[late]).any():
            raise ValueError(f"nothing of the inference itself explains when task {task} started")
        self._bound[late] = holder
