"""What runs and what waits in a run of the compiled loop: ``Engine.glimpse``, compiled."""

# mypy: disable-error-code="no-any-return, assignment"

from __future__ import annotations

import numpy as np

from archsim.sim.fast_kernel import (
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
    compiled,
    inlined,
)


@inlined
def _note(program, run, node, ahead, numbers, count):  # type: ignore[no-untyped-def]
    """Note an ending: task, finish (0) or release (1), cycles from now; both where they coincide."""
    slot = node >> 1
    task = slot & ((1 << program.shift) - 1)
    inference = run.context[slot >> program.shift, INFERENCE] - run.counters[OLDEST]
    kinds = 2 if program.task[task, LATENCY] == program.task[task, OCCUPANCY] else 1
    for kind in range(kinds):
        numbers[count] = inference * len(program.task) + task
        numbers[count + 1] = kind if kinds == 2 else node & 1
        numbers[count + 2] = ahead
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
            node = np.int64(run.slot[node >> 1, LINK + (node & 1)])
    for place in range(run.counters[LATER]):
        node = run.later[place, 1]
        count = _note(program, run, node, run.later[place, 0] - now, numbers, count)
    numbers[0] = (count - 1) // 3
    for queue in range(len(run.queue)):
        slot = np.int64(run.queue[queue, HEAD])
        while slot >= 0:
            inference = run.context[slot >> program.shift, INFERENCE] - run.counters[OLDEST]
            numbers[count] = inference * len(program.task) + (slot & ((1 << program.shift) - 1))
            count += 1
            slot = np.int64(run.slot[slot, LINK])
        numbers[count] = -1
        count += 1
    return count
