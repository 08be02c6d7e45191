"""The compiled event loop: a timing wheel over slots, one slot for each task of an inference inside.

An inference that is inside has a context; slot = context << shift | task. Every slot waits in one list at
a time: in the queue of its server, then for its finish and for the release of the server, the one that
comes first before the other. So all lists are threaded through one link a slot, and nothing is allocated
while time goes on. The node 2 * slot stands for a task's finish (or finish and release at once), the node
2 * slot + 1 for its release alone.

What belongs to a task, a slot or a queue stands in one row, so that it shares a cache line. The phases of
a round are functions with one caller each; they are inlined.
"""

# Compiled code: the types are numba's, and integers are 64 bits wide whatever their names say.
# mypy: disable-error-code="no-any-return, assignment"

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from archsim.sim.fast_layout import (
    BEGAN,
    BEGUN,
    CHUNK,
    CHUNK_BITS,
    CONTEXT,
    COPIES,
    DIRTY,
    DONE,
    ENDINGS,
    EXIT,
    FAR,
    FINISH,
    FIRST,
    FREE,
    GONE,
    GROW,
    HEAD,
    INFERENCE,
    LAST,
    LATENCY,
    LATER,
    LEAVING,
    LEFT,
    LINK,
    MARKED,
    NOW,
    OCCUPANCY,
    OLDEST,
    OPEN,
    OPENED,
    PAUSE,
    PAUSE_AFTER,
    PENDING,
    QUEUE,
    ROW,
    SERVERS,
    START,
    STILL,
    STUCK,
    TAIL,
    TURN,
    TURNS,
    WIDEN,
    WORK,
    Int32,
    Int64,
    Loop,
    Program,
    Progress,
)

_OPTIONS: dict[str, Any] = {"nogil": True, "_nrt": False}
# nothing is allocated, so that no references need to be counted: that would take most of the time

nth = np.uint64
"""Of an index: it counts from the front, and no code is needed for one that counts from the end."""


def compiled(function: Any) -> Any:
    """A function of the loop."""
    return numba.njit(**_OPTIONS)(function)


def inlined(function: Any) -> Any:
    """A function with one caller, which becomes a part of it."""
    return numba.njit(inline="always", **_OPTIONS)(function)


@compiled
def take(program: Program, run: Progress, inference: int) -> int:
    """A context for an inference, of which no slot is set."""
    counters, place = run.counters, inference & (len(run.ring) - 1)
    counters[FREE] -= 1
    context = run.free[counters[FREE]]
    run.ring[place, OPEN] = inference
    run.ring[place, CONTEXT] = context
    run.context[context, INFERENCE] = inference
    counters[OPENED] = max(counters[OPENED], inference + 1)
    for chunk in range(context << program.shift >> CHUNK_BITS, (context + 1) << program.shift >> CHUNK_BITS):
        run.seen[chunk] = 0
    return context


@compiled
def set_chunk(program: Program, run: Progress, slot: int) -> None:
    """Set the slots beside ``slot``, which waits for everything, as they do."""
    first = slot & ~(CHUNK - 1)
    task = first & ((1 << program.shift) - 1)
    for place in range(min(CHUNK, len(program.waits) - task)):
        run.slot[first + place, STILL] = program.waits[task + place]
    run.seen[slot >> CHUNK_BITS] = 1


@compiled
def open_context(program: Program, run: Progress, loop: Loop, inference: int) -> int:
    """The context of an inference, made when it is first asked for."""
    place = inference & (len(run.ring) - 1)
    if run.ring[place, OPEN] == inference:
        return run.ring[place, CONTEXT]
    context = take(program, run, inference)
    base = context << program.shift
    set_chunk(program, run, base)
    if loop.in_flight > 0 and inference >= loop.in_flight:
        run.slot[base, STILL] += 1  # the entry waits for an inference to leave
    if inference < program.reach:
        for edge in range(len(program.far)):
            if program.far[edge, 1] > inference:
                slot = base + program.far[edge, 0]
                if not run.seen[slot >> CHUNK_BITS]:
                    set_chunk(program, run, slot)
                run.slot[slot, STILL] -= 1
    return context


@compiled
def _leave(run: Progress, context: int, keep: bool) -> None:
    """An inference leaves; only the last one's context is kept, of several at once the youngest's.

    Args: keep: whether all contexts are kept for their schedules, and none is freed.
    """
    counters, mask = run.counters, len(run.ring) - 1
    number, count = run.context[context, INFERENCE], counters[LEFT]
    run.left[count] = counters[NOW]
    counters[LEFT] = count + 1
    run.ring[number & mask, GONE] = number
    while run.ring[counters[OLDEST] & mask, GONE] == counters[OLDEST]:
        counters[OLDEST] += 1
    last = counters[LAST]
    younger = last < 0 or run.left[count - 1] < counters[NOW] or run.context[last, INFERENCE] < number
    if younger:
        counters[LAST] = context
    if not keep and last >= 0:
        _free(run, last if younger else context)


@compiled
def _free(run: Progress, context: int) -> None:
    """A context is of no more use, once its last resource is released."""
    run.context[context, LEAVING] = run.context[context, ENDINGS] > 0
    if run.context[context, LEAVING]:
        return
    run.ring[run.context[context, INFERENCE] & (len(run.ring) - 1), OPEN] = -1
    run.free[run.counters[FREE]] = context
    run.counters[FREE] += 1


@inlined
def _remember(run, loop, task, context):  # type: ignore[no-untyped-def]
    """A task begins."""
    if loop.remember:
        run.begun[nth(task), 0] += 1
        run.begun[nth(task), 1] += run.context[nth(context), INFERENCE]
        first = task * loop.remember
        for place in range(first + loop.remember - 1, first, -1):
            run.starts[nth(place)] = run.starts[nth(place - 1)]
        run.starts[nth(first)] = run.counters[NOW]


@compiled
def sort(key: Int64, slot: Int32, count: int) -> None:
    """Sort the first entries by key, in place: Shell's sort, since most come in order or nearly so."""
    gap = 1
    while gap < count // 3:
        gap = 3 * gap + 1
    while gap >= 1:
        for i in range(gap, count):
            k, s = key[i], slot[i]
            j = i
            while j >= gap and key[j - gap] > k:
                key[j], slot[j] = key[j - gap], slot[j - gap]
                j -= gap
            key[j], slot[j] = k, s
        gap //= 3


@compiled
def _next_on_wheel(filled: NDArray[np.uint64], now: int, size: int) -> int:
    """The cycle of the next ending on the wheel; there is one."""
    place = (now + 1) & (size - 1)
    found = now + 1
    word = place >> 6
    bits = filled[word] >> np.uint64(place & 63)
    if not bits:
        found += 64 - (place & 63)
        word = (word + 1) & (len(filled) - 1)
        while not filled[word]:
            found += 64
            word = (word + 1) & (len(filled) - 1)
        bits = filled[word]
    for width in (32, 16, 8, 4, 2, 1):  # to the lowest bit that is set, by halves
        if not bits & ((np.uint64(1) << np.uint64(width)) - np.uint64(1)):
            bits >>= np.uint64(width)
            found += width
    return found


@compiled
def _later(run: Progress, found: int) -> int:
    """The cycle of the next ending, given the wheel's next (-1 for none); brings it onto the wheel."""
    counters = run.counters
    for place in range(counters[LATER]):
        if found < 0 or run.later[place, 0] < found:
            found = run.later[place, 0]
    place = 0
    while place < counters[LATER]:
        if run.later[place, 0] > found:
            place += 1
            continue
        node = run.later[place, 1]
        spoke = found & (len(run.wheel) - 1)
        run.slot[node >> 1, LINK] = -2 - run.wheel[spoke]
        run.wheel[spoke] = node
        counters[PENDING] += 1
        counters[LATER] -= 1
        run.later[place, 0] = run.later[counters[LATER], 0]
        run.later[place, 1] = run.later[counters[LATER], 1]
    return found


@inlined
def queue_of(program, run, task, context):  # type: ignore[no-untyped-def]
    """The queue of a task: its resource's, or that of the copy that it is dealt to."""
    queue = np.int64(program.place[nth(task), QUEUE])
    if queue < 0:
        row = -2 - queue
        turns = run.context[nth(context), INFERENCE] * program.dealt[row, TURNS]
        queue = program.dealt[row, FIRST] + (program.dealt[row, TURN] + turns) % program.dealt[row, COPIES]
    return queue


@inlined
def schedule(run, node, wait):  # type: ignore[no-untyped-def]
    """An ending comes after ``wait`` cycles, one at least."""
    spokes, at = len(run.wheel) - 1, run.counters[NOW] + wait
    if wait <= spokes:
        spoke = at & spokes
        run.slot[nth(node >> 1), LINK] = -2 - run.wheel[nth(spoke)]
        run.wheel[nth(spoke)] = node
        run.filled[nth(spoke >> 6)] |= np.uint64(1) << np.uint64(spoke & 63)
        run.counters[PENDING] += 1
    else:
        run.later[nth(run.counters[LATER]), 0] = at
        run.later[nth(run.counters[LATER]), 1] = node
        run.counters[LATER] += 1


@inlined
def _durations(program, row):  # type: ignore[no-untyped-def]
    """Occupancy and latency of the tasks of a row."""
    return np.int64(program.row[nth(row), OCCUPANCY]), np.int64(program.row[nth(row), LATENCY])


@inlined
def _end(program, run, node, dirty, work):  # type: ignore[no-untyped-def]
    """The finishes and releases of a list: the queues to look at, and the finishes to follow."""
    mask = (1 << program.shift) - 1
    while node >= 0:
        ending = node
        slot = ending >> 1
        node = -2 - np.int64(run.slot[nth(slot), LINK])
        task, context = slot & mask, slot >> program.shift
        row = program.place[nth(task), ROW]
        occupancy, latency = _durations(program, row)
        run.counters[PENDING] -= 1
        run.context[nth(context), ENDINGS] -= 1
        if occupancy != latency and (ending & 1) == (occupancy < latency):
            schedule(run, ending ^ 1, abs(latency - occupancy))
        if ending & 1 or occupancy == latency:
            queue = queue_of(program, run, task, context)
            run.queue[nth(queue), SERVERS] += 1
            if run.queue[nth(queue), HEAD] >= 0 and not run.queue[nth(queue), MARKED]:
                run.queue[nth(queue), MARKED] = 1
                run.dirty[nth(dirty)] = queue
                dirty += 1
        if not ending & 1:
            run.work[nth(work)] = ending
            work += 1
        elif run.context[nth(context), LEAVING]:
            _free(run, context)
    return dirty, work


@inlined
def _follow(program, run, loop, work):  # type: ignore[no-untyped-def]
    """Follow the edges of what finished or started, joins included: the tasks that became ready.

    An entry of the work is 2 * slot for a finish, 2 * slot + 1 for a start.
    """
    shift, mask = program.shift, (1 << program.shift) - 1
    ready = 0
    while work:
        work -= 1
        event = run.work[nth(work)]
        slot = event >> 1
        task, context = slot & mask, slot >> shift
        column = START if event & 1 else FINISH
        row = program.place[nth(task), ROW]
        edge, end = program.row[nth(row), column], program.row[nth(row + 1), column]
        leaving = task == program.exit
        if leaving:
            _leave(run, context, loop.keep)
            end += loop.in_flight > 0
        while edge < end:
            if leaving and edge == end - 1 and loop.in_flight > 0:
                target, distance = 0, loop.in_flight
            else:
                ahead, distance = np.int64(program.edge[nth(edge)]), 0
                if ahead >= FAR:
                    later = nth(ahead - FAR)
                    ahead, distance = np.int64(program.later[later, 0]), np.int64(program.later[later, 1])
                target = program.exit if ahead == EXIT else task + ahead
            edge += 1
            other = (context << shift) + target
            if distance:
                inference = run.context[nth(context), INFERENCE] + distance
                if loop.inferences >= 0 and inference >= loop.inferences:
                    continue
                other = (open_context(program, run, loop, inference) << shift) + target
            if not run.seen[nth(other >> CHUNK_BITS)]:
                set_chunk(program, run, other)
            still = run.slot[nth(other), STILL] - 1
            run.slot[nth(other), STILL] = still
            if still == 0:
                if program.place[nth(target), QUEUE] == -1:
                    run.slot[nth(other), BEGAN] = run.counters[NOW]
                    run.work[nth(work)] = 2 * other
                    work += 1
                else:
                    run.ready[nth(ready)] = other
                    ready += 1
    return ready


@inlined
def queue_up(program, run, slot, dirty):  # type: ignore[no-untyped-def]
    """Put a task at the end of its queue: the queues to look at."""
    queue = queue_of(program, run, slot & ((1 << program.shift) - 1), slot >> program.shift)
    run.slot[nth(slot), LINK] = -1
    if run.queue[nth(queue), HEAD] < 0:
        run.queue[nth(queue), HEAD] = slot
    else:
        run.slot[nth(run.queue[nth(queue), TAIL]), LINK] = -2 - slot
    run.queue[nth(queue), TAIL] = slot
    if not run.queue[nth(queue), MARKED]:
        run.queue[nth(queue), MARKED] = 1
        run.dirty[nth(dirty)] = queue
        dirty += 1
    return dirty


@inlined
def _enter(program, run, ready, dirty):  # type: ignore[no-untyped-def]
    """Put the ready tasks into their queues, in the order of their numbers: the queues to look at."""
    shift, mask = program.shift, (1 << program.shift) - 1
    if ready > 1:
        in_order = True
        for i in range(ready):
            slot = np.int64(run.ready[nth(i)])
            run.key[nth(i)] = run.context[nth(slot >> shift), INFERENCE] * len(program.waits) + (slot & mask)
            in_order = in_order and (i == 0 or run.key[nth(i - 1)] < run.key[nth(i)])
        if not in_order:
            sort(run.key, run.ready, ready)
    for i in range(ready):
        slot = np.int64(run.ready[nth(i)])
        dirty = queue_up(program, run, slot, dirty)
    return dirty


@inlined
def _start(program, run, loop, dirty):  # type: ignore[no-untyped-def]
    """Every free server starts the first of its queue: endings that come at once, starts to follow."""
    now, mask = run.counters[NOW], (1 << program.shift) - 1
    node = np.int64(-1)
    work = 0
    for i in range(dirty):
        queue = run.dirty[nth(i)]
        run.queue[nth(queue), MARKED] = 0
        while run.queue[nth(queue), SERVERS] > 0 and run.queue[nth(queue), HEAD] >= 0:
            slot = np.int64(run.queue[nth(queue), HEAD])
            run.queue[nth(queue), HEAD] = -2 - run.slot[nth(slot), LINK]
            run.queue[nth(queue), SERVERS] -= 1
            task, context = slot & mask, slot >> program.shift
            row = program.place[nth(task), ROW]
            occupancy, latency = _durations(program, row)
            run.slot[nth(slot), BEGAN] = now
            _remember(run, loop, task, context)
            run.context[nth(context), ENDINGS] += 1 if occupancy == latency else 2
            ending = 2 * slot + (occupancy < latency)
            if occupancy and latency:
                schedule(run, ending, min(occupancy, latency))
            else:
                run.slot[nth(slot), LINK] = -2 - node
                node = ending
                run.counters[PENDING] += 1
            if program.row[nth(row), START] < program.row[nth(row + 1), START]:
                run.work[nth(work)] = 2 * slot + 1
                work += 1
    return node, work


@compiled
def advance(program: Program, run: Progress, loop: Loop, goal: int) -> int:
    """Let time go on until ``goal`` inferences have left, to the end of that instant.

    Returns: DONE, GROW, STUCK, PAUSE or WIDEN.
    """
    counters = run.counters
    instants = 0
    while counters[LEFT] < goal or not counters[BEGUN]:
        if counters[FREE] < loop.spare:
            return GROW
        if counters[NOW] >= loop.horizon:
            return WIDEN
        instants += 1
        if instants > PAUSE_AFTER:
            return PAUSE
        node = np.int64(-1)
        work, dirty = counters[WORK], counters[DIRTY]
        counters[WORK], counters[DIRTY] = 0, 0
        if not counters[BEGUN]:
            counters[BEGUN] = 1
            for inference in range(loop.first):
                slot = open_context(program, run, loop, inference) << program.shift
                run.slot[nth(slot), BEGAN] = 0
                run.work[nth(work)] = 2 * slot
                work += 1
        elif not work and not dirty:
            if counters[PENDING] + counters[LATER] == 0:
                return STUCK
            found = -1
            if counters[PENDING]:
                found = _next_on_wheel(run.filled, counters[NOW], len(run.wheel))
            if counters[LATER]:
                found = _later(run, found)
            counters[NOW] = found
            spoke = found & (len(run.wheel) - 1)
            node = np.int64(run.wheel[nth(spoke)])
            run.wheel[nth(spoke)] = -1
            run.filled[nth(spoke >> 6)] &= ~(np.uint64(1) << np.uint64(spoke & 63))
        while node >= 0 or work or dirty:  # the rounds of this instant
            dirty, work = _end(program, run, node, dirty, work)
            ready = _follow(program, run, loop, work)
            dirty = _enter(program, run, ready, dirty)
            node, work = _start(program, run, loop, dirty)
            dirty = 0
    return DONE


@compiled
def waiting(program: Program, run: Progress, numbers: Int64) -> int:
    """The numbers of the tasks in each queue, each queue ended by -1: how many numbers were written."""
    count = 0
    for queue in range(len(run.queue)):
        slot = np.int64(run.queue[queue, HEAD])
        while slot >= 0:
            inference = run.context[slot >> program.shift, INFERENCE]
            numbers[count] = inference * len(program.waits) + (slot & ((1 << program.shift) - 1))
            count += 1
            slot = -2 - np.int64(run.slot[slot, LINK])
        numbers[count] = -1
        count += 1
    return count
