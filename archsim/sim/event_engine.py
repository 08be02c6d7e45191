"""The event engine: SimPy components that run a task graph."""

from __future__ import annotations

import itertools
from collections import deque

import numpy as np
from simpy.core import StopSimulation

from archsim.sim.components import REST, Arbiter, Clock, Durations, Inference, Server, Signal, Ticket
from archsim.sim.deadlock import deadlock
from archsim.sim.engine import Queues, wire
from archsim.sim.run import QueueUse, Run
from archsim.task_graph import JOIN, Edges, TaskGraph

Near = list[list[int]]
"""For each task, the tasks of the same inference at the end of its edges."""
Far = dict[int, list[tuple[int, int]]]
"""For the tasks that have some, edges to a later inference: task and distance."""
Reached = list[tuple[Inference, int]]
"""Joins that have nothing left to wait for."""


class EventEngine:
    """An ``Engine`` of SimPy components: a server for each queue, an arbiter, and what leads to what.

    An inference is made when its first task is touched and dropped when it leaves, so that a stream of
    any length holds only what is in flight.
    """

    def __init__(
        self,
        graph: TaskGraph,
        *,
        in_flight: int | None = None,
        inferences: int | None = None,
        keep: int | None = None,
    ) -> None:
        if in_flight is None and inferences is None:
            raise ValueError("give in_flight or inferences: else there is no end of inferences at cycle 0")
        self.left: list[int] = []
        self._kept: deque[Inference] = deque(maxlen=keep)
        self._graph = graph
        self._size = len(graph)
        self._in_flight = in_flight
        self._inferences = inferences
        self._queues = Queues.of(graph)
        self._wiring = wire(graph, in_flight)
        self._finish_near, self._finish_far = _follow(self._wiring.on_finish)
        self._start_near, self._start_far = _follow(self._wiring.on_start)
        self._is_join: list[bool] = (graph.resource == JOIN).tolist()
        self._waits: list[int] = self._wiring.waits.tolist()
        self._inside: dict[int, Inference] = {}
        self._gone: set[int] = set()
        self._oldest = 0
        self._goal: int | None = None
        self._begun = False
        self._clock = Clock()
        self._arbiter = Arbiter(self._clock)
        durations = Durations(graph.occupancy.tolist(), graph.latency.tolist(), self._started, self._finished)
        self._durations = durations
        durations.has_start_edges = (np.diff(self._wiring.on_start.first) > 0).tolist()
        self._servers: list[Server] = []
        for resource in graph.resources:
            for _ in range(resource.copies):
                number = len(self._servers)
                self._servers.append(Server(number, resource, self._clock, self._arbiter, durations))
        self._plain_servers = self._serve(0)

    @property
    def now(self) -> int:
        """The present cycle."""
        return int(self._clock.now)

    def advance(self, completions: int | None = None) -> None:
        """Run to the end of the instant in which that many inferences have left; None: to the end of all.

        Raises: SimulationError: when tasks wait for each other.
        """
        if completions is not None and len(self.left) >= completions:
            return
        self._goal = completions
        if not self._begun:
            self._begin()
        self._clock.run()
        missing = self._inferences if completions is None else completions
        if self._inferences is not None and missing is not None:
            missing = min(missing, self._inferences)
        if missing is None or len(self.left) < missing:
            raise deadlock(self._graph)

    def result(self) -> Run:
        """What has been measured until now."""
        kept = sorted(self._kept, key=lambda inference: inference.number)
        start = np.array([inference.start for inference in kept], dtype=np.int64).reshape(-1, self._size)
        waits = [server.waited(self.now) for server in self._servers]
        use = QueueUse(
            resource=np.repeat(np.arange(len(self._queues.copies)), self._queues.copies),
            busy_cycles=np.array([server.busy_cycles for server in self._servers], dtype=np.int64),
            waiting_cycles=np.array(waits, dtype=np.int64),
            longest=np.array([server.longest_queue for server in self._servers], dtype=np.int64),
        )
        return Run(
            inferences=np.array([inference.number for inference in kept], dtype=np.int64),
            start=start,
            finish=start + self._graph.latency,
            completed_cycles=np.array(self.left, dtype=np.int64),
            queues=use,
            end=self.now,
        )

    def state(self) -> object:
        """All that the future depends on: see ``Engine.state``."""
        oldest, base = self._oldest, self._oldest * self._size
        new = oldest
        while new in self._inside or new in self._gone:
            new += 1
        if new < self._wiring.reach:
            return None
        finishes, releases = [], []
        for at, (number, task, inference) in self._clock.pending():
            began = inference.start[task]
            if at == began + self._durations.latency[task]:
                finishes.append((at - self.now, number - base))
            if at == began + self._durations.occupancy[task]:
                releases.append((at - self.now, inference.servers[task].number))
        return (
            self._queues.shifts(oldest).tolist(),
            sorted(number - oldest for number in self._gone),
            sorted(finishes),
            sorted(releases),
            [[number - base for number, _, _ in server.queue] for server in self._servers],
            [(number - oldest, self._inside[number].waits[:]) for number in sorted(self._inside)],
        )

    def _begin(self) -> None:
        """Let the first inferences enter."""
        self._begun = True
        counts = [count for count in (self._in_flight, self._inferences) if count is not None]
        self._pass([(self._enter(number), self._graph.entry) for number in range(min(counts))])

    def _enter(self, number: int) -> Inference:
        """The state of an inference, made when it is first asked for."""
        inference = self._inside.get(number)
        if inference is None:
            waits = self._waits[:]
            if number < self._wiring.reach:
                waits = self._wiring.waits_of(number).tolist()
            servers = self._serve(number) if self._queues.shifts(number).any() else self._plain_servers
            inference = self._inside[number] = Inference(number, number * self._size, waits, servers)
        return inference

    def _serve(self, number: int) -> list[Server]:
        """The server of each task of an inference; a join is given any."""
        return [self._servers[queue] for queue in self._queues.dealt(number).tolist()]

    def _started(self, ticket: Ticket) -> None:
        _, task, inference = ticket
        joins = self._satisfy(self._start_near[task], inference)
        if task in self._start_far:
            joins += self._satisfy_far(self._start_far[task], inference)
        if joins:
            self._pass(joins)

    def _finished(self, signal: Signal) -> None:
        _, task, inference = signal.ticket
        joins = self._satisfy(self._finish_near[task], inference)
        if task in self._finish_far:
            joins += self._satisfy_far(self._finish_far[task], inference)
        if joins:
            self._pass(joins)

    def _satisfy(self, targets: list[int], inference: Inference) -> Reached:
        """One thing less to wait for; announces tasks that become ready and returns joins that do."""
        waits = inference.waits
        joins: Reached = []
        for target in targets:
            still = waits[target] - 1
            waits[target] = still
            if not still:
                if self._is_join[target]:
                    joins.append((inference, target))
                else:
                    self._arbiter.announce((inference.base + target, target, inference))
        return joins

    def _satisfy_far(self, edges: list[tuple[int, int]], inference: Inference) -> Reached:
        joins: Reached = []
        for target, distance in edges:
            number = inference.number + distance
            if self._inferences is None or number < self._inferences:
                joins += self._satisfy([target], self._enter(number))
        return joins

    def _pass(self, joins: Reached) -> None:
        """Start and finish joins and, transitively, the joins that they complete."""
        now = self.now
        while joins:
            inference, task = joins.pop()
            inference.start[task] = now
            joins += self._satisfy(self._finish_near[task], inference)
            if task == self._graph.exit:
                self._leave(inference)
            if task in self._finish_far:
                joins += self._satisfy_far(self._finish_far[task], inference)

    def _leave(self, inference: Inference) -> None:
        if any(inference.waits):
            raise deadlock(self._graph)
        del self._inside[inference.number]
        self.left.append(self.now)
        self._kept.append(inference)
        self._gone.add(inference.number)
        while self._oldest in self._gone:
            self._gone.remove(self._oldest)
            self._oldest += 1
        if len(self.left) == self._goal:
            self._clock.schedule(Signal([StopSimulation.callback]), REST)


def _follow(edges: Edges) -> tuple[Near, Far]:
    """The edges of each task as Python lists, those inside an inference apart from those that leave it."""
    tasks = len(edges.first) - 1
    source = np.repeat(np.arange(tasks), np.diff(edges.first))
    inside = edges.distance == 0
    first = np.zeros(tasks + 1, dtype=np.int64)
    np.cumsum(np.bincount(source[inside], minlength=tasks), out=first[1:])
    bounds, targets = first.tolist(), edges.target[inside].tolist()
    near = [targets[begin:end] for begin, end in itertools.pairwise(bounds)]
    far: Far = {}
    leaving = zip(source[~inside], edges.target[~inside], edges.distance[~inside], strict=True)
    for task, target, distance in leaving:
        far.setdefault(int(task), []).append((int(target), int(distance)))
    return near, far


def run_event(graph: TaskGraph, inferences: int = 1, in_flight: int | None = None) -> Run:
    """Run some inferences to their end.

    Args: in_flight: an inference enters when the one ``in_flight`` before it leaves, None: all at cycle 0.
    Raises: SimulationError: when tasks wait for each other.
    """
    engine = EventEngine(graph, in_flight=in_flight, inferences=inferences)
    engine.advance()
    return engine.result()
