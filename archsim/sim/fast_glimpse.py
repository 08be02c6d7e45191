"""What the future of the compiled loop depends on: ``Engine.glimpse``, compiled."""

# mypy: disable-error-code="no-any-return, assignment"

from __future__ import annotations

import numpy as np

from archsim.sim.fast_kernel import compiled, inlined
from archsim.sim.fast_layout import (
    HEAD,
    INFERENCE,
    LATENCY,
    LATER,
    LINK,
    NOW,
    OCCUPANCY,
    OLDEST,
    Int64,
    Program,
    Progress,
)


@inlined
def _note(program, run, node, ahead, numbers, count):  # type: ignore[no-untyped-def]
    """Note the endings of a task of which ``node`` comes next: task, finish (0) or release (1), cycles."""
    slot = node >> 1
    task = slot & ((1 << program.shift) - 1)
    inference = run.context[slot >> program.shift, INFERENCE] - run.counters[OLDEST]
    occupancy, latency = np.int64(program.task[task, OCCUPANCY]), np.int64(program.task[task, LATENCY])
    endings = 2 if occupancy == latency or (node & 1) == (occupancy < latency) else 1
    for ending in range(endings):
        numbers[count] = inference * len(program.waits) + task
        numbers[count + 1] = (node & 1) ^ ending
        numbers[count + 2] = ahead + ending * abs(latency - occupancy)
        count += 3
    return count


@compiled
def glimpse(program: Program, run: Progress, numbers: Int64) -> int:
    """How many endings are to come; each as task, kind, cycles; then the queues, each ended by -1.

    Tasks are counted from the first one of the oldest inference inside.
    Returns: how many numbers were written.
    """
    now, spokes, count = run.counters[NOW], len(run.wheel) - 1, 1
    for ahead in range(1, spokes + 1):
        node = np.int64(run.wheel[(now + ahead) & spokes])
        while node >= 0:
            count = _note(program, run, node, ahead, numbers, count)
            node = -2 - np.int64(run.slot[node >> 1, LINK])
    for place in range(run.counters[LATER]):
        node = run.later[place, 1]
        count = _note(program, run, node, run.later[place, 0] - now, numbers, count)
    numbers[0] = (count - 1) // 3
    for queue in range(len(run.queue)):
        slot = np.int64(run.queue[queue, HEAD])
        while slot >= 0:
            inference = run.context[slot >> program.shift, INFERENCE] - run.counters[OLDEST]
            numbers[count] = inference * len(program.waits) + (slot & ((1 << program.shift) - 1))
            count += 1
            slot = -2 - np.int64(run.slot[slot, LINK])
        numbers[count] = -1
        count += 1
    return count
