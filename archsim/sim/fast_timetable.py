"""What ``sim.timetable`` does with every task, compiled."""

# mypy: disable-error-code="no-any-return, assignment"

from __future__ import annotations

import numpy as np

from archsim.sim.fast_kernel import compiled, inlined
from archsim.sim.fast_layout import EXIT, FINISH, LATENCY, NEVER, OCCUPANCY, ROW, START, Int64, Program
from archsim.sim.fast_warm import waits_since
from archsim.sim.timetable import Lines, Room


@compiled
def crossings(program: Program, shared: Int64, found: Int64) -> int:
    """Count the tasks of some kind that come before each of the first tasks, on the way with most of them.

    Args: shared: (first tasks,) 1 for a task of that kind, else 0; found: (first tasks,) zeros.
    """
    for task in range(len(found)):
        row, count = program.place[task, ROW], found[task] + shared[task]
        for column in (FINISH, START):
            for edge in range(program.row[row, column], program.row[row + 1, column]):
                target = task + program.edge[edge]
                if program.edge[edge] < EXIT and target < len(found):
                    found[target] = max(found[target], count)
    return 0


@compiled
def keep(program: Program, lines: Lines, room: Room, start: Int64, period: int, most: int) -> int:
    """Put tasks off until no server holds two at once and everything is after what it waits for.

    Every queue is served in the order of ``lines``. What was put off puts off what waits for it, whose queues
    are served again.
    Args: start: (tasks,) everything is after what it waits for; most: tasks that may be served and followed,
        some of them again and again.
    Returns: 1, or 0 where that has not come to an end.
    """
    queues = len(lines.servers)
    for queue in range(queues):
        room.late[queue] = queues - 1 - queue
        room.is_late[queue] = 1
    late, left = queues, most
    while late:
        late -= 1
        queue = np.int64(room.late[late])
        room.is_late[queue] = 0
        moved, left = _serve(program, lines, room, start, period, queue, left)
        late, left = _follow(program, lines, room, start, moved, late, left)
        if left < 0:
            return 0
    return 1


@inlined
def _serve(program, lines, room, start, period, queue, left):  # type: ignore[no-untyped-def]
    """Serve a queue, period after period, until one goes by like the one before: how many moved."""
    begin, end, servers = lines.first[queue], lines.first[queue + 1], lines.servers[queue]
    for server in range(servers):
        room.free[server] = -NEVER
    moved, again, same = 0, 0, 0
    while same <= lines.laps and left >= 0:
        same += 1
        left -= end - begin
        for place in range(begin, end):
            task = np.int64(lines.order[place])
            behind = (lines.turn[task] - again) * period
            cycle, server = start[task] - behind, 0
            for other in range(1, servers):
                if room.free[server] <= cycle:
                    break
                if room.free[other] < room.free[server]:
                    server = other
            if room.free[server] > cycle:
                same = 0
                cycle = room.free[server]
                start[task] = cycle + behind
                if not room.is_moved[task]:
                    room.is_moved[task] = 1
                    room.moved[moved] = task
                    moved += 1
            elif again and same and servers == 1:
                same = lines.laps + 1  # from here on all is as it was in the period before
                break
            room.free[server] = cycle + program.row[program.place[task, ROW], OCCUPANCY]
        again += 1
    return moved, left


@inlined
def _follow(program, lines, room, start, moved, late, left):  # type: ignore[no-untyped-def]
    """Put off what waits for what was put off: how many queues are to be served again."""
    while moved and left >= 0:
        moved -= 1
        left -= 1
        task = np.int64(room.moved[moved])
        room.is_moved[task] = 0
        row = program.place[task, ROW]
        for column in (FINISH, START):
            happens = start[task] + (program.row[row, LATENCY] if column == FINISH else 0)
            for edge in range(program.row[row, column], program.row[row + 1, column]):
                target, since = waits_since(program, task, edge, happens, lines.earlier)
                if start[target] < since:
                    start[target] = since
                    if not room.is_moved[target]:
                        room.is_moved[target] = 1
                        room.moved[moved] = target
                        moved += 1
                    queue = lines.queue[target]
                    if queue >= 0 and not room.is_late[queue]:
                        room.is_late[queue] = 1
                        room.late[late] = queue
                        late += 1
    return late, left
