"""The walk back from the end of a run, for ``sim.critical_path``, compiled."""

# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from archsim.sim.critical_path import UNKNOWN, Ran, Walk
from archsim.sim.engine import Links
from archsim.sim.fast_kernel import compiled, nth
from archsim.sim.fast_layout import Int32

_GOLDEN = 0x9E3779B1
"""2**32 over the golden ratio: multiples of it differ in their upper bits, however regular cycles are."""


@compiled
def walk(on_start: Links, on_finish: Links, ran: Ran, found: Walk) -> int:
    """Walk from the exit to the entry, from each task to what let it start.

    Returns: the steps of the path, or that of a task whose start nothing explains, less all tasks.
    """
    # what is noted last stays: a finish
    _bind(on_start, ran, found.bound, False)
    _bind(on_finish, ran, found.bound, True)
    for task in range(len(ran.start)):
        if ran.queue[task] >= 0:
            queue = nth(ran.queue[task])
            found.earlier[task] = found.newest[queue]
            found.newest[queue] = task
    task = len(ran.start) - 1
    found.path[0] = task
    steps = 1
    while task != 0:
        before = found.bound[task]
        if before == UNKNOWN:
            before = _holder(ran, found, task)
            if before == UNKNOWN:
                return task - len(ran.start)
        task = before
        found.path[steps] = task
        steps += 1
    return steps


@compiled
def _bind(links: Links, ran: Ran, bound: Int32, finished: bool) -> None:
    """Note of each task that started when a source of its inference let it, the first such source.

    Args: finished: whether sources let others start when they have finished, or when they start.
    """
    for source in range(len(ran.start) - 1, -1, -1):
        allowed = ran.start[nth(source)] + (ran.latency[nth(source)] if finished else 0)
        for edge in range(links.first[nth(source)], links.first[nth(source + 1)]):
            target = nth(links.target[nth(edge)])
            if ran.start[target] == allowed and links.distance[nth(edge)] == 0:
                bound[target] = source


@compiled
def _holder(ran: Ran, found: Walk, task: int) -> int:
    """The first task that released the queue of another when that one started, or UNKNOWN."""
    queue, cycle = ran.queue[task], ran.start[task]
    if found.newest[queue] != UNKNOWN:
        _list_releases(ran, found, queue)
    holder = found.first[_place(queue, cycle, len(found.first))]
    while holder != UNKNOWN and (
        ran.queue[holder] != queue or ran.start[holder] + ran.occupancy[holder] != cycle
    ):
        holder = found.earlier[holder]
    return holder


@compiled
def _list_releases(ran: Ran, found: Walk, queue: int) -> None:
    """Put the tasks that held a queue into lists by when they released it, earlier numbers first."""
    task = found.newest[queue]
    found.newest[queue] = UNKNOWN
    while task != UNKNOWN:
        before = found.earlier[task]
        if ran.occupancy[task] > 0:
            place = _place(queue, ran.start[task] + ran.occupancy[task], len(found.first))
            found.earlier[task] = found.first[place]
            found.first[place] = task
        task = before


@compiled
def _place(queue: int, cycle: int, places: int) -> int:
    """Where the list stands of the tasks that released a queue at a cycle, and of a few others."""
    return ((queue + cycle * _GOLDEN) * _GOLDEN >> 32) & (places - 1)
