"""Why a run came to a standstill: tasks that wait for each other, named by their operations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from archsim.errors import SimulationError
from archsim.task_graph import TaskGraph

_SHOWN = 8


def deadlock(graph: TaskGraph) -> SimulationError:
    """The error that says how many tasks can never start, and names a cycle among them.

    Edges lead to the same inference or to a later one, so that whatever cycle there is lies within one
    inference, and the same in each: the graph alone explains the standstill of any run.
    """
    source, target = _edges_within_an_inference(graph)
    stuck = _never_ready(source, target, len(graph))
    cycle = _cycle(source, target, stuck)
    shown = [graph.describe_task(task) for task in cycle[:_SHOWN]]
    if len(cycle) > _SHOWN:
        shown.append(f"{len(cycle) - _SHOWN} more tasks")
    chain = " <- ".join([*shown, graph.describe_task(cycle[0])])
    return SimulationError(
        f"{np.count_nonzero(stuck)} of {len(graph)} tasks can never start, because some wait for each other "
        f"(a <- b: a waits for b): {chain}; a buffer that is too small for what has to be in it at once "
        "does this"
    )


def _edges_within_an_inference(graph: TaskGraph) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    sources, targets = [], []
    for edges in (graph.on_finish, graph.on_start):
        source = np.repeat(np.arange(len(graph)), np.diff(edges.first))
        inside = edges.distance == 0
        sources.append(source[inside])
        targets.append(edges.target[inside].astype(np.int64))
    return np.concatenate(sources), np.concatenate(targets)


def _never_ready(source: NDArray[np.int64], target: NDArray[np.int64], tasks: int) -> NDArray[np.bool_]:
    """Which tasks are on a cycle or behind one: what is left when all others have run, in any order."""
    after: list[list[int]] = [[] for _ in range(tasks)]
    for earlier, later in zip(source.tolist(), target.tolist(), strict=True):
        after[earlier].append(later)
    waits = np.bincount(target, minlength=tasks)
    done = np.flatnonzero(waits == 0).tolist()
    left: list[int] = waits.tolist()
    while done:
        for later in after[done.pop()]:
            left[later] -= 1
            if not left[later]:
                done.append(later)
    return np.array(left) > 0


def _cycle(source: NDArray[np.int64], target: NDArray[np.int64], stuck: NDArray[np.bool_]) -> list[int]:
    """Tasks each of which waits for the next one, and the last for the first: going back ends in them."""
    inside = stuck[source] & stuck[target]
    before = dict(zip(target[inside].tolist(), source[inside].tolist(), strict=True))
    seen: dict[int, int] = {}
    task = int(np.flatnonzero(stuck)[0])
    while task not in seen:
        seen[task] = len(seen)
        task = before[task]
    path = list(seen)[seen[task] :]
    turn = path.index(min(path))
    return path[turn:] + path[:turn]
