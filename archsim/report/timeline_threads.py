"""The threads of a timeline: each task in a lane in which nothing else runs meanwhile."""

from __future__ import annotations

import heapq
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

    Args: tasks: (slices,) task numbers, thread by thread, in each in the order of time; thread: (slices,)
        index into ``threads``, which are those that hold something: chip by chip, what all its PUs share
        first, then PU by PU, in the order in which the program uses them.
    """

    tasks: NDArray[np.int64]
    thread: NDArray[np.int64]
    threads: tuple[Thread, ...]


def deal(graph: TaskGraph, start: NDArray[np.int64], tasks: NDArray[np.int64]) -> Lanes:
    """Deal ``tasks``, each of which holds a resource, to threads.

    Copies of a resource are threads of their own. Among the servers of a copy, which engines do not tell
    apart, a task takes the first that is free.
    """
    first, owners = _queues(graph)
    resource = graph.resource[tasks]
    copies = np.array([each.copies for each in graph.resources], dtype=np.int64)
    queue = first[resource] + graph.turn[tasks] % copies[resource]
    # of two tasks that start at once in one server, the one that takes no time comes first
    span = int(start.max(initial=0)) + 1
    order = np.argsort((queue * span + start[tasks]) * 2 + (graph.occupancy[tasks] > 0), kind="stable")
    tasks, queue = tasks[order], queue[order]
    begin = start[tasks]
    lane = _lanes(queue, begin, begin + graph.occupancy[tasks], [owner.servers for owner, _ in owners])
    wide = int(lane.max(initial=0)) + 1
    order = np.argsort(queue * wide + lane, kind="stable")
    keys, thread = np.unique((queue * wide + lane)[order], return_inverse=True)
    threads = [_thread(owners[key // wide], key % wide) for key in keys.tolist()]
    return Lanes(tasks[order], thread, tuple(threads))


def _queues(graph: TaskGraph) -> tuple[NDArray[np.int64], list[tuple[Resource, int]]]:
    """(resources,) the first queue of each resource; the resource and the copy that each queue belongs to."""
    places = [resource.place for resource in graph.resources]
    ranked = sorted(range(len(places)), key=lambda index: (places[index].chip, places[index].pu))
    first = np.zeros(len(places), dtype=np.int64)
    owners: list[tuple[Resource, int]] = []
    for index in ranked:
        first[index] = len(owners)
        resource = graph.resources[index]
        owners += [(resource, copy) for copy in range(resource.copies)]
    return first, owners


def _lanes(
    queue: NDArray[np.int64], begin: NDArray[np.int64], end: NDArray[np.int64], servers: list[int]
) -> NDArray[np.int64]:
    """(tasks,) the lane of each task in its queue; tasks are sorted by queue, then by time."""
    lane = np.zeros(len(queue), dtype=np.int64)
    bounds = np.searchsorted(queue, np.arange(len(servers) + 1))
    for number in np.flatnonzero((np.array(servers) > 1) & (np.diff(bounds) > 1)).tolist():
        own = slice(bounds[number], bounds[number + 1])
        lane[own] = _first_free(begin[own].tolist(), end[own].tolist())
    return lane


def _first_free(begin: list[int], end: list[int]) -> list[int]:
    """The lowest lane that is free at each begin; begins ascend."""
    lanes: list[int] = []
    free: list[int] = []
    running: list[tuple[int, int]] = []
    for since, until in zip(begin, end, strict=True):
        while running and running[0][0] <= since:
            heapq.heappush(free, heapq.heappop(running)[1])
        lane = heapq.heappop(free) if free else len(running)
        heapq.heappush(running, (until, lane))
        lanes.append(lane)
    return lanes


def _thread(owner: tuple[Resource, int], lane: int) -> Thread:
    """The thread of a server of a copy, named like its resource without the chip."""
    resource, copy = owner
    name = resource.name.removeprefix(f"chip{resource.place.chip}.")
    if resource.copies > 1:
        name += f" copy {copy}"
    if resource.servers > 1:
        name += f" server {lane}"
    return Thread(resource.place.chip, name)
