"""SimPy components: servers that stand for the parts of a machine, and the arbiter that starts their tasks.

They are driven by bare events and callbacks: a SimPy process for each task would be ten times as slow.
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
"""The arbiter acts when all finishes and releases of an instant have happened."""
REST = EventPriority(NORMAL + 2)
"""Runs are interrupted when all rounds of an instant are over."""

Callbacks = list[Callable[[Any], None]]


class Clock(simpy.Environment):
    """The environment of a run."""

    def pending(self) -> list[tuple[int, Ticket]]:
        """The finishes and releases to come, in no order: the cycle, and the task that is meant."""
        return [
            (int(at), event.ticket)
            for at, _, _, event in self._queue
            if isinstance(event, Signal) and event.ticket is not None
        ]


class Signal(simpy.Event):
    """An event that happens once, after its delay; its list of callbacks is shared, not its own."""

    __slots__ = ("callbacks", "ticket")
    _ok = True
    _value = None

    def __init__(self, callbacks: Callbacks, ticket: Ticket | None = None) -> None:
        self.callbacks = callbacks
        self.ticket = ticket


class Inference:
    """One inference on its way through the machine.

    Args: number: counted from 0; base: number of its first task; waits: what each task still waits for; servers: which serves
        each task (of a join: any); start: cycle at which each task started.
    """

    __slots__ = ("base", "number", "servers", "start", "waits")

    def __init__(self, number: int, base: int, waits: list[int], servers: list[Server]) -> None:
        self.number = number
        self.base = base
        self.waits = waits
        self.servers = servers
        self.start = array("q", bytes(8 * len(waits)))


Ticket = tuple[int, int, Inference]
"""A task that is ready: its number, which orders tickets, its place in the graph, its inference."""


class Durations:
    """How long tasks take, and what their starts and finishes set off.

    Args: occupancy, latency: cycles of each task of the graph; on_start: called with a ticket when its
        task starts, for the tasks in ``has_start_edges``; on_finish: called with the signal of a finish.
    """

    __slots__ = ("has_start_edges", "latency", "occupancy", "on_finish", "on_start")

    def __init__(
        self,
        occupancy: list[int],
        latency: list[int],
        on_start: Callable[[Ticket], None],
        on_finish: Callable[[Signal], None],
    ) -> None:
        self.occupancy = occupancy
        self.latency = latency
        self.has_start_edges = [False] * len(occupancy)
        self.on_start = on_start
        self.on_finish = on_finish


class Server:
    """A part of the machine that works on tasks: ``free`` of them at once, first come first served.

    Timing: a task holds the server for its occupancy; its result is there after its latency.
    Args: resource: what it stands for; copy: which of the resource's copies.
    """

    __slots__ = (
        "_both", "_durations", "_finished", "_held", "_schedule", "_arbiter",
        "busy_cycles", "free", "longest_queue", "number", "queue", "resource", "waiting_cycles",
    )  # fmt: skip

    def __init__(
        self, number: int, resource: Resource, clock: Clock, arbiter: Arbiter, durations: Durations
    ) -> None:
        self.resource = resource
        self.number = number
        self.free = resource.servers
        self.queue: deque[Ticket] = deque()
        self.busy_cycles = 0
        self.waiting_cycles = 0
        self.longest_queue = 0
        self._arbiter = arbiter
        self._durations = durations
        self._schedule = clock.schedule
        self._held: Callbacks = [self._release]
        self._finished: Callbacks = [durations.on_finish]
        self._both: Callbacks = [self._release, durations.on_finish]

    def enter(self, ticket: Ticket, now: int) -> None:
        """Put a task into the queue. A wait is a start minus an entry: each is added when it is known."""
        self.queue.append(ticket)
        self.waiting_cycles -= now

    def waited(self, now: int) -> int:
        """Cycles from ready to start, summed over the tasks that have started."""
        return self._waiting_cycles + now * len(self.queue)  # TODO

    def dispatch(self, now: int) -> None:
        """Start tasks from the queue, as many as there are servers free."""
        queue = self.queue
        durations = self._durations
        while queue and self.free:
            self.free -= 1
            ticket = queue.popleft()
            _, task, inference = ticket
            inference.start[task] = now
            self.waiting_cycles += now
            occupancy = durations.occupancy[task]
            latency = durations.latency[task]
            self.busy_cycles += occupancy
            if occupancy == latency:
                self._schedule(Signal(self._both, ticket), NORMAL, latency)
            else:
                self._schedule(Signal(self._held, ticket), NORMAL, occupancy)
                self._schedule(Signal(self._finished, ticket), NORMAL, latency)
            if durations.has_start_edges[task]:
                durations.on_start(ticket)
        if len(queue) > self.longest_queue:
            self.longest_queue = len(queue)

    def _release(self, _: Signal) -> None:
        self.free += 1
        if self.queue:
            self._arbiter.contend(self)


class Arbiter:
    """Decides at the end of each round of an instant which tasks start: one event a round.

    Tasks that became ready in a round enter their queues in the order of their numbers, then every free
    server starts the first of its queue.
    """

    __slots__ = ("_awake", "_callbacks", "_clock", "_contended", "_ready", "_signal")

    def __init__(self, clock: Clock) -> None:
        self._ready: list[Ticket] = []
        self._contended: list[Server] = []
        self._clock = clock
        self._awake = False
        self._callbacks: Callbacks = [self._arbitrate]
        self._signal = Signal(self._callbacks)

    def contend(self, server: Server) -> None:
        """Look at a server that has become free while tasks wait."""
        self._contended.append(server)
        if not self._awake:
            self.wake()

    def announce(self, ticket: Ticket) -> None:
        """A task has become ready."""
        self._ready.append(ticket)
        if not self._awake:
            self.wake()

    def wake(self) -> None:
        """Act at the end of this round."""
        if not self._awake:
            self._awake = True
            self._signal.callbacks = self._callbacks
            self._clock.schedule(self._signal, ARBITRATION)

    def _arbitrate(self, _: Signal) -> None:
        self._awake = False
        ready, self._ready = self._ready, []
        contended, self._contended = self._contended, []
        ready.sort()
        now = int(self._clock.now)
        for ticket in ready:
            server = ticket[2].servers[ticket[1]]
            server.enter(ticket, now)
            contended.append(server)
        for server in contended:
            server.dispatch(now)
