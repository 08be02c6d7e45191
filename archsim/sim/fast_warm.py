"""The beginning of a run of the compiled loop in a machine that is at work: ``engine.Warm``, compiled."""

# mypy: disable-error-code="no-any-return, assignment"

from __future__ import annotations

import numpy as np

from archsim.sim.fast_kernel import (
    compiled,
    inlined,
    open_context,
    queue_of,
    queue_up,
    schedule,
    set_chunk,
    sort,
    take,
)
from archsim.sim.fast_layout import (
    BEGAN,
    BEGUN,
    CHUNK,
    CHUNK_BITS,
    CONTEXT,
    DIRTY,
    ENDINGS,
    EXIT,
    FAR,
    FINISH,
    INFERENCE,
    LATENCY,
    LONG_AGO,
    NEVER,
    OCCUPANCY,
    QUEUE,
    ROW,
    SERVERS,
    START,
    STILL,
    WORK,
    Int64,
    Loop,
    Program,
    Progress,
)


@compiled
def _quiet(program: Program, start: Int64, quiet: Int64, distant: Int64) -> tuple[int, int]:
    """Note of each chunk of tasks until when nothing of it has begun, and from when on all is over.

    Args: distant: room for the tasks for which tasks of later inferences wait.
    Returns: how many of these there are, and how many tasks start too early.
    """
    early = many = 0
    for chunk in range(len(quiet)):
        quiet[chunk, 0], quiet[chunk, 1] = NEVER, -NEVER
        for task in range(chunk * CHUNK, min(len(program.waits), (chunk + 1) * CHUNK)):
            row = program.place[task, ROW]
            over = start[task] + max(program.row[row, OCCUPANCY], program.row[row, LATENCY])
            far = False
            for column in (FINISH, START):
                happens = start[task] + (program.row[row, LATENCY] if column == FINISH else 0)
                for edge in range(program.row[row, column], program.row[row + 1, column]):
                    ahead = program.edge[edge]
                    if ahead >= FAR:
                        far = True
                    else:
                        target = program.exit if ahead == EXIT else task + ahead
                        early += start[target] < happens
                        over = max(over, start[target])
            if far:
                distant[many] = task
                many += 1
            quiet[chunk, 0] = min(quiet[chunk, 0], start[task])
            quiet[chunk, 1] = max(quiet[chunk, 1], over)
    return many, early


@inlined
def _need(program, run, slot):  # type: ignore[no-untyped-def]
    """Set the slots beside one of a task that has not begun, if they are not."""
    if not run.seen[slot >> CHUNK_BITS]:
        set_chunk(program, run, slot)
        for place in range(slot & ~(CHUNK - 1), (slot | (CHUNK - 1)) + 1):
            run.slot[place, BEGAN] = -LONG_AGO


@inlined
def _count_down(program, run, slot, target, cycle, ready):  # type: ignore[no-untyped-def]
    """Something has happened in ``cycle`` that a task waits for: how many are ready then, joins apart.

    When the last of it has happened stands in BEGAN until the task begins.
    """
    _need(program, run, slot)
    still = run.slot[slot, STILL] - 1
    run.slot[slot, STILL] = still
    run.slot[slot, BEGAN] = max(np.int64(run.slot[slot, BEGAN]), cycle)
    if still == 0:
        if program.place[target, QUEUE] == -1:
            run.slot[slot, BEGAN] = 0
            run.work[run.counters[WORK]] = 2 * slot
            run.counters[WORK] += 1
        else:
            run.ready[ready] = slot
            ready += 1
    return ready


@inlined
def _near(program, run, start, now, base, task, ready):  # type: ignore[no-untyped-def]
    """Tasks that have not begun no longer wait for what a task of their inference has done: those ready."""
    row = program.place[task, ROW]
    for column in (FINISH, START):
        happens = start[task] + (program.row[row, LATENCY] if column == FINISH else 0)
        if happens <= now:
            for edge in range(program.row[row, column], program.row[row + 1, column]):
                ahead = program.edge[edge]
                if ahead >= FAR:
                    continue
                target = program.exit if ahead == EXIT else task + ahead
                if start[target] > now:
                    ready = _count_down(program, run, base + target, target, happens - now, ready)
    return ready


@inlined
def _far(program, run, loop, start, age, inference, task, ready):  # type: ignore[no-untyped-def]
    """The same for tasks of later inferences, and how many of these have begun too early."""
    row = program.place[task, ROW]
    early = 0
    for column in (FINISH, START):
        happens = start[task] + (program.row[row, LATENCY] if column == FINISH else 0)
        for edge in range(program.row[row, column], program.row[row + 1, column]):
            if program.edge[edge] < FAR:
                continue
            far = program.edge[edge] - FAR
            target, later = task + program.later[far, 0], inference + program.later[far, 1]
            if later < loop.first and start[target] <= age[later]:
                early += happens > age[inference]
            elif happens <= age[inference] and (loop.inferences < 0 or later < loop.inferences):
                base = open_context(program, run, loop, later) << program.shift
                ready = _count_down(program, run, base + target, target, happens - age[inference], ready)
    return ready, early


@inlined
def _hold(program, run, slot, release, finish):  # type: ignore[no-untyped-def]
    """A task runs: it releases its server and finishes in so many cycles, or has (0 or less)."""
    task, context = slot & ((1 << program.shift) - 1), slot >> program.shift
    if release > 0:
        run.queue[queue_of(program, run, task, context), SERVERS] -= 1
    if release == finish:
        run.context[context, ENDINGS] += 1
        schedule(run, 2 * slot, release)
    else:
        run.context[context, ENDINGS] += (release > 0) + (finish > 0)
        finishes = finish > 0 and (release <= 0 or finish < release)
        schedule(run, 2 * slot + (not finishes), finish if finishes else release)


@compiled
def _queue(program: Program, run: Progress, loop: Loop, ready: int) -> None:
    """Put the ready tasks into their queues, those that have been ready for longest first."""
    tasks, mask = len(program.waits), (1 << program.shift) - 1
    for place in range(ready):
        slot = np.int64(run.ready[place])
        number = run.context[slot >> program.shift, INFERENCE] * tasks + (slot & mask)
        run.key[place] = np.int64(run.slot[slot, BEGAN]) * (loop.first * tasks) + number
    sort(run.key, run.ready, ready)
    dirty = 0
    for place in range(ready):
        dirty = queue_up(program, run, np.int64(run.ready[place]), dirty)
    run.counters[DIRTY] = dirty


@inlined
def waits_since(program, task, edge, happens, earlier):  # type: ignore[no-untyped-def]
    """The target of an edge, and when what it waits for happens in its inference's time.

    Args: happens: in the time of the inference of the source; earlier: as of ``put_off``.
    """
    ahead, since = np.int64(program.edge[edge]), happens
    if ahead >= FAR:
        since -= earlier[ahead - FAR]
        ahead = np.int64(program.later[ahead - FAR, 0])
    return program.exit if ahead == EXIT else task + ahead, since


@compiled
def put_off(program: Program, start: Int64, earlier: Int64, passes: int) -> int:
    """Put off what would start before something that it waits for, in so many passes over all tasks.

    Args: earlier: (far edges of rows,) cycles by which inferences are apart that these lead from and to.
    Returns: how many were put off in the last pass: 0 but where that has no end.
    """
    late = 1
    while late and passes:
        late, passes = 0, passes - 1
        for task in range(len(program.waits)):
            row = program.place[task, ROW]
            for column in (FINISH, START):
                happens = start[task] + (program.row[row, LATENCY] if column == FINISH else 0)
                for edge in range(program.row[row, column], program.row[row + 1, column]):
                    target, since = waits_since(program, task, edge, happens, earlier)
                    if start[target] < since:
                        start[target] = since
                        late += 1
    return late


@compiled
def _recall(run: Progress, loop: Loop, start: Int64, age: Int64) -> None:
    """Note how often each task has begun and when, as ``start`` and ``age`` say."""
    youngest = 0
    for task in range(len(run.begun)):
        while youngest > 0 and age[youngest - 1] < start[task]:
            youngest -= 1
        while youngest < len(age) and age[youngest] >= start[task]:
            youngest += 1
        run.begun[task, 0] = youngest
        run.begun[task, 1] = youngest * (youngest - 1) // 2
        for place in range(min(youngest, loop.remember)):
            run.starts[task * loop.remember + place] = start[task] - age[youngest - 1 - place]


@compiled
def resume(
    program: Program, run: Progress, loop: Loop, start: Int64, age: Int64, quiet: Int64, distant: Int64
) -> int:
    """Let the first inferences be as far as ``start`` and ``age`` say, see ``engine.Warm``.

    Args: start: the entry's is before all others; quiet: (chunks, 2), distant: (tasks,), room.
    Returns: how often a task has started before something that it waits for has happened: 0 but for what
        is no state of the machine.
    """
    tasks = len(program.waits)
    many, early = _quiet(program, start, quiet, distant)
    if early:
        return early
    run.counters[BEGUN] = 1
    _recall(run, loop, start, age)
    ready = 0
    for inference in range(loop.first):
        base, now = take(program, run, inference) << program.shift, age[inference]
        for chunk in range(len(quiet)):
            # slots of chunks in which all is over are not needed
            if quiet[chunk, 0] <= now and quiet[chunk, 1] > now:
                run.seen[(base >> CHUNK_BITS) + chunk] = 1
                for task in range(chunk * CHUNK, min(tasks, (chunk + 1) * CHUNK)):
                    begun = start[task] <= now
                    run.slot[base + task, STILL] = 0 if begun else program.waits[task]
                    run.slot[base + task, BEGAN] = start[task] - now if begun else -LONG_AGO
        for edge in range(len(program.far)):
            if program.far[edge, 1] > inference and start[program.far[edge, 0]] > now:
                _need(program, run, base + program.far[edge, 0])
                run.slot[base + program.far[edge, 0], STILL] -= 1
    for inference in range(loop.first):
        now = age[inference]
        base = np.int64(run.ring[inference & (len(run.ring) - 1), CONTEXT]) << program.shift
        for place in range(many):
            ready, wrong = _far(program, run, loop, start, age, inference, distant[place], ready)
            early += wrong
        for chunk in range(len(quiet)):
            if quiet[chunk, 0] > now or quiet[chunk, 1] <= now:
                continue
            for task in range(chunk * CHUNK, min(tasks, (chunk + 1) * CHUNK)):
                if start[task] > now:
                    continue
                ready = _near(program, run, start, now, base, task, ready)
                row = program.place[task, ROW]
                release = start[task] + program.row[row, OCCUPANCY] - now
                finish = start[task] + program.row[row, LATENCY] - now
                if program.place[task, QUEUE] != -1 and (release > 0 or finish > 0):
                    _hold(program, run, base + task, release, finish)
    _queue(program, run, loop, ready)
    return early
