"""Why a run came to a standstill: tasks that wait for each other, named by their operations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from archsim.errors import SimulationError
from archsim.task_graph import Edges, TaskGraph

_SHOWN = 8


def deadlock(graph: TaskGraph, waiting: NDArray[np.bool_]) -> SimulationError:
    """The error that names one cycle among the waiting tasks of the oldest inference that is unfinished.

    All inferences before it have left and edges only lead to the same or to later inferences, so each of
    its waiting tasks waits for another of its own: going back from one to the next must end in a cycle.
    """
    cycle = _find_cycle(graph, waiting)
    shown = [graph.describe_task(task) for task in cycle[:_SHOWN]]
    if len(cycle) > _SHOWN:
        shown.append(f"{len(cycle) - _SHOWN} more tasks")
    chain = " <- ".join([*shown, graph.describe_task(cycle[0])])
    return SimulationError(
        f"{np.count_nonzero(waiting)} of {len(graph)} tasks can never start, because some wait for "
        f"each other (a <- b: a waits for b): {chain}; a buffer that is too small for what must be in "
        "it at once does this"
    )


def _find_cycle(graph: TaskGraph, waiting: NDArray[np.bool_]) -> list[int]:
    """Tasks each of which waits for the next one, and the last for the first."""
    before = np.full(len(graph), -1, dtype=np.int64)
    for edges in (graph.on_finish, graph.on_start):
        source, target = _edges_within(edges, waiting)
        before[target] = source
    seen: dict[int, int] = {}
    task = int(np.flatnonzero(waiting)[0])
    while task not in seen:
        seen[task] = len(seen)
        task = int(before[task])
    path = list(seen)[seen[task] :]
    turn = path.index(min(path))
    return path[turn:] + path[:turn]


def _edges_within(
    edges: Edges, waiting: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    source = np.repeat(np.arange(len(waiting)), np.diff(edges.first))
    inside = (edges.distance == 0) & waiting[source] & waiting[edges.target]
    return source[inside], edges.target[inside]
