"""The threads of a timeline: each task of a resource in a lane in which nothing else runs meanwhile."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archsim.task_graph import Resource, TaskGraph


@dataclass(frozen=True, slots=True)
class Thread:
    """A row of the picture: one server of one copy of a resource.

    Args: chip: the process that it belongs to.
    """

    chip: int
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Lanes:
    """Tasks dealt to threads.

    Args: tasks: (slices,) task numbers, thread by thread, in the order of time in each; thread: (slices,)
        index into ``threads``, which are those that hold something, chip by chip and PU by PU, the ones
        that a chip's PUs share first.
    """

    tasks: NDArray[np.int32]
    thread: NDArray[np.int32]
    threads: tuple[Thread, ...]


def deal(graph: TaskGraph, start: NDArray[np.int64], tasks: NDArray[np.int32]) -> Lanes:
    """Deal ``tasks``, each of which holds a resource, to threads.

    Copies of a resource are threads of their own. Among the servers of a copy, which the engines do not
    tell apart, a task takes the first that is free.
    """
    places = [resource.place for resource in graph.resources]
    ranked = sorted(range(len(places)), key=lambda r: (places[r].chip, places[r].pu))
    copies = np.array([resource.copies for resource in graph.resources])
    first = np.empty(len(places), dtype=np.int64)
    first[ranked] = np.cumsum(copies[ranked]) - copies[ranked]
    resource = graph.resource[tasks]
    queue = first[resource] + graph.turn[tasks] % copies[resource]
    # of two tasks that start at once in one server, the one that takes no time is done first
    span = int(start.max(initial=0)) + 1
    order = np.argsort((queue * span + start[tasks]) * 2 + (graph.occupancy[tasks] > 0), kind="stable")
    tasks, queue = tasks[order], queue[order]
    lane = _lanes(graph, start, tasks, queue)
    wide = int(lane.max(initial=0)) + 1
    order = np.argsort(queue * wide + lane, kind="stable")
    tasks = tasks[order]
    keys, thread = np.unique((queue * wide + lane)[order], return_inverse=True)
    names = [_thread(graph.resources[r], copy, 0) for r in ranked for copy in range(copies[r])]
    del names
    owners = [(graph.resources[r], copy) for r in ranked for copy in range(copies[r])]
    threads = tuple(_thread(*owners[key // wide], key % wide) for key in keys.tolist())
    return Lanes(tasks, thread.astype(np.int32), threads)
