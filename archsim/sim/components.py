"""SimPy components: servers that stand for the parts of a machine, and the arbiter that starts their tasks.

They are driven by bare events and callbacks: a SimPy process for each task would take ten times as long.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable
from typing import Any

import simpy
from simpy.events import NORMAL, EventPriority

from archsim.task_graph import Resource

ARBITRATION = EventPriority(NORMAL + 1)
"""The arbiter acts when all finishes and releases of a round have happened."""
REST = EventPriority(NORMAL + 2)
"""A run is interrupted when all rounds of an instant are over."""

Callbacks = list[Callable[[Any], None]]


class Signal(simpy.Event):
    """An event that is sure to happen; its list of callbacks is shared by all events of its sort."""

    __slots__ = ("callbacks",)
    _ok = True
    _value = None

    def __init__(self, callbacks: Callbacks) -> None:
        self.callbacks = callbacks


class Ending(Signal):
    """The finish of a task, the release of its server, or both at once."""

    __slots__ = ("ticket",)

    def __init__(self, callbacks: Callbacks, ticket: Ticket) -> None:
        self.callbacks = callbacks
        self.ticket = ticket


class Inference:
    """One inference on its way through the machine.

    Args: number: counted from 0; base: the number of its first task; waits: how many things each task
        still waits for; servers: which one serves each task (of a join, any one); start: the cycle at
        which each task started.
    """

    __slots__ = ("base", "number", "servers", "start", "waits")

    def __init__(self, number: int, base: int, waits: list[int], servers: list[Server]) -> None:
        self.number = number
        self.base = base
        self.waits = waits
        self.servers = servers
        self.start = array("q", bytes(8 * len(waits)))


Ticket = tuple[int, int, Inference]
"""A task that is ready: its number, by which tickets are sorted, its place in the graph, its inference."""


class Tasks:
    """What servers know of tasks: how long they take, and whom to tell.

    Args: occupancy, latency: cycles of each task of the graph; signals_start: whether anything waits for
        its start; started: told the ticket of such a task; finished: told the ending of any task.
    """

    __slots__ = ("finished", "latency", "occupancy", "signals_start", "started")

    def __init__(
        self,
        occupancy: list[int],
        latency: list[int],
        signals_start: list[bool],
        started: Callable[[Ticket], None],
        finished: Callable[[Ending], None],
    ) -> None:
        self.occupancy = occupancy
        self.latency = latency
        self.signals_start = signals_start
        self.started = started
        self.finished = finished


class Server:
    """A part of the machine that works on tasks, as many at once as it has servers, first come first served.

    Timing: a task holds a server for its occupancy; its result is there after its latency.
    Args: number: of its queue; resource: the part that it stands for, one of its copies.
    """

    __slots__ = (
        "_arbiter",
        "_ends",
        "_finishes",
        "_free",
        "_releases",
        "_schedule",
        "_tasks",
        "_waited",
        "busy_cycles",
        "longest_queue",
        "number",
        "queue",
        "resource",
    )

    def __init__(
        self, number: int, resource: Resource, clock: simpy.Environment, arbiter: Arbiter, tasks: Tasks
    ) -> None:
        self.number = number
        self.resource = resource
        self.queue: deque[Ticket] = deque()
        self.busy_cycles = 0
        self.longest_queue = 0
        self._waited = 0
        self._free = resource.servers
        self._arbiter = arbiter
        self._tasks = tasks
        self._schedule = clock.schedule
        self._releases: Callbacks = [self._release]
        self._finishes: Callbacks = [tasks.finished]
        self._ends: Callbacks = [self._release, tasks.finished]

    def enter(self, ticket: Ticket, now: int) -> None:
        """Put a task into the queue."""
        self.queue.append(ticket)
        self._waited -= now

    def dispatch(self, now: int) -> None:
        """Start the first tasks of the queue, as many as there are servers free."""
        queue, tasks = self.queue, self._tasks
        while queue and self._free > 0:
            self._free -= 1
            ticket = queue.popleft()
            _, task, inference = ticket
            inference.start[task] = now
            self._waited += now
            occupancy = tasks.occupancy[task]
            latency = tasks.latency[task]
            self.busy_cycles += occupancy
            if occupancy == latency:
                self._schedule(Ending(self._ends, ticket), NORMAL, latency)
            else:
                self._schedule(Ending(self._releases, ticket), NORMAL, occupancy)
                self._schedule(Ending(self._finishes, ticket), NORMAL, latency)
            if tasks.signals_start[task]:
                tasks.started(ticket)
        if len(queue) > self.longest_queue:
            self.longest_queue = len(queue)

    def resume(self, ticket: Ticket, finish: int, release: int) -> None:
        """A task runs already: it finishes and releases its server in so many cycles, or has (0 or less)."""
        self._free -= release > 0
        if release == finish:
            self._schedule(Ending(self._ends, ticket), NORMAL, finish)
            return
        for callbacks, cycles in ((self._releases, release), (self._finishes, finish)):
            if cycles > 0:
                self._schedule(Ending(callbacks, ticket), NORMAL, cycles)

    def waiting_cycles(self, now: int) -> int:
        """Cycles for which tasks have been in the queue until now, summed over them."""
        return self._waited + now * len(self.queue)

    def _release(self, _: Ending) -> None:
        self._free += 1
        if self.queue:
            self._arbiter.contend(self)


class Arbiter:
    """Decides which tasks start, at the end of each round of an instant: one event a round.

    Tasks that became ready in the round enter their queues in the order of their numbers, then every
    free server starts the first of its queue.
    """

    __slots__ = ("_awake", "_callbacks", "_clock", "_contended", "_ready", "_signal")

    def __init__(self, clock: simpy.Environment) -> None:
        self._clock = clock
        self._ready: list[Ticket] = []
        self._contended: list[Server] = []
        self._awake = False
        self._callbacks: Callbacks = [self._arbitrate]
        self._signal = Signal(self._callbacks)

    def announce(self, ticket: Ticket) -> None:
        """A task has become ready."""
        self._ready.append(ticket)
        if not self._awake:
            self._wake()

    def contend(self, server: Server) -> None:
        """A server has been released for which tasks wait."""
        self._contended.append(server)
        if not self._awake:
            self._wake()

    def _wake(self) -> None:
        self._awake = True
        self._signal.callbacks = self._callbacks
        self._clock.schedule(self._signal, ARBITRATION)

    def _arbitrate(self, _: Signal) -> None:
        self._awake = False
        now = int(self._clock.now)
        ready, self._ready = self._ready, []
        contended, self._contended = self._contended, []
        ready.sort()
        for ticket in ready:
            server = ticket[2].servers[ticket[1]]
            server.enter(ticket, now)
            contended.append(server)
        for server in contended:
            server.dispatch(now)
