"""The event engine: SimPy components that run a task graph."""

from __future__ import annotations

import itertools
from array import array
from collections import deque

import numpy as np
from numpy.typing import NDArray
from simpy.core import Environment, StopSimulation

from archsim.graph_blocks import Edges
from archsim.sim.components import REST, Arbiter, Ending, Inference, Server, Signal, Tasks, Ticket
from archsim.sim.deadlock import deadlock
from archsim.sim.engine import NO_STATE, Glimpse, Queues, Warm, wire
from archsim.sim.run import QueueUse, Run
from archsim.task_graph import JOIN, TaskGraph

Near = list[list[int]]
"""For each task, the tasks of the same inference to which its edges lead."""
Far = dict[int, list[tuple[int, int]]]
"""For some tasks, the edges that lead to a later inference: task and distance."""
Joins = list[tuple[Inference, int]]
"""Joins that have nothing left to wait for."""

_LONG_AGO = -(2**62)


class EventEngine:
    """An ``Engine`` of SimPy components: servers, an arbiter, and in between what waits for what.

    An inference is made when something of it is first touched and dropped when it leaves, so that a
    stream of any length holds only what is in flight.
    """

    def __init__(
        self,
        graph: TaskGraph,
        *,
        in_flight: int | None = None,
        inferences: int | None = None,
        keep: int | None = None,
        warm: Warm | None = None,
        remember: int = 0,
    ) -> None:
        if in_flight is None and inferences is None:
            raise ValueError("give in_flight or inferences: endlessly many would enter at cycle 0")
        self.left: list[int] = []
        self._graph = graph
        self._size = len(graph)
        self._in_flight = in_flight
        self._inferences = inferences
        self._wiring = wire(graph, in_flight)
        self._finish_near, self._finish_far = _follow(self._wiring.on_finish)
        self._start_near, self._start_far = _follow(self._wiring.on_start)
        self._is_join: list[bool] = (graph.resource == JOIN).tolist()
        self._waits: list[int] = self._wiring.waits.tolist()
        self._inside: dict[int, Inference] = {}
        self._kept: deque[Inference] = deque(maxlen=keep)
        self._goal: int | None = None
        self._clock = Environment()
        self._arbiter = Arbiter(self._clock)
        self._tasks = Tasks(
            graph.occupancy.tolist(),
            graph.latency.tolist(),
            (np.diff(self._wiring.on_start.first) > 0).tolist() if not remember else [True] * self._size,
            self._started,
            self._finished,
        )
        self._queues = Queues.of(graph)
        self._servers = [
            Server(number, resource, self._clock, self._arbiter, self._tasks)
            for number, resource in enumerate(self._queues.resources)
        ]
        self._plain_servers = self._deal(0)
        self._begun = [0] * self._size
        self._begun_by = [0] * self._size
        self._starts = [deque[int](maxlen=remember) for _ in range(self._size if remember else 0)]
        if warm is not None:
            self._resume(warm)

    def advance(self, completions: int | None = None) -> None:
        """Run to the end of the instant in which that many inferences have left; None: to the end of all.

        Raises: SimulationError: when tasks wait for each other.
        """
        if completions is not None and len(self.left) >= completions:
            return
        self._goal = completions
        if not self._inside and not self.left:
            self._begin()
        self._clock.run()
        reached = completions is not None and len(self.left) >= completions
        if not reached and len(self.left) != self._inferences:
            raise deadlock(self._graph)

    def last_start(self) -> NDArray[np.int64]:
        """(tasks,) start of each task of the inference that left last."""
        return np.array(self._kept[-1].start, dtype=np.int64)

    def result(self) -> Run:
        """What has been measured until now."""
        now = int(self._clock.now)
        kept = sorted(self._kept, key=lambda inference: inference.number)
        start = np.array([inference.start for inference in kept], dtype=np.int64).reshape(-1, self._size)
        use = QueueUse(
            resource=self._queues.resource,
            busy_cycles=np.array([server.busy_cycles for server in self._servers], dtype=np.int64),
            waiting_cycles=np.array([server.waiting_cycles(now) for server in self._servers], dtype=np.int64),
            longest=np.array([server.longest_queue for server in self._servers], dtype=np.int64),
        )
        return Run(
            inferences=np.array([inference.number for inference in kept], dtype=np.int64),
            start=start,
            finish=start + self._graph.latency,
            completed_cycles=np.array(self.left, dtype=np.int64),
            queues=use,
            end=now,
        )

    def glimpse(self) -> Glimpse:
        """What the future depends on: see ``Engine.glimpse``."""
        remembered = self._starts[0].maxlen or 0
        begun = np.array([self._begun, self._begun_by], dtype=np.int64).T
        starts = [[*each, *[_LONG_AGO] * (remembered - len(each))] for each in self._starts]
        queues = [[number for number, _, _ in server.queue] for server in self._servers]
        waiting = np.array([*itertools.chain.from_iterable([*queue, -1] for queue in queues)], dtype=np.int64)
        now, left = int(self._clock.now), len(self.left)
        return Glimpse.of(self._queues, now, left, begun, np.array(starts, dtype=np.int64), waiting)

    def _begin(self) -> None:
        """Let the first inferences enter."""
        self._pass([(self._touch(number), self._graph.entry) for number in range(self._first())])

    def _first(self) -> int:
        """Inferences that enter at cycle 0."""
        return min(count for count in (self._in_flight, self._inferences) if count is not None)

    def _resume(self, warm: Warm) -> None:
        """Let the first inferences be as far as ``warm`` says."""
        start, ages = warm.of(self._first())
        finish = start + self._graph.latency
        for edges, happens in ((self._wiring.on_finish, finish), (self._wiring.on_start, start)):
            early = np.repeat(happens, np.diff(edges.first)) > start[edges.target]
            if (early & (edges.distance == 0)).any():
                raise ValueError(NO_STATE)
        since: dict[int, NDArray[np.int64]] = {}
        for number, age in enumerate(ages.tolist()):
            self._happened(number, self._wiring.on_finish, finish - age, since)
            self._happened(number, self._wiring.on_start, start - age, since)
        ready: list[tuple[int, Ticket]] = []
        joins: Joins = []
        for number, age in enumerate(ages.tolist()):
            inference, begun = self._inside[number], start <= age
            inference.start = array("q", (start - age).tolist())
            for task in np.flatnonzero(begun & (self._graph.resource != JOIN)).tolist():
                self._remember(task, inference)
            waits = np.array(inference.waits)
            if waits[begun].any():
                raise ValueError(NO_STATE)
            self._hold(inference, np.flatnonzero(begun & (self._graph.resource != JOIN)))
            for task in np.flatnonzero(~begun & (waits == 0)).tolist():
                if self._is_join[task]:
                    joins.append((inference, task))
                else:
                    ready.append((int(since[number][task]), (inference.base + task, task, inference)))
        for _, ticket in sorted(ready, key=lambda row: (row[0], row[1][0])):
            server = ticket[2].servers[ticket[1]]
            server.enter(ticket, 0)
            self._arbiter.contend(server)
        self._pass(joins)

    def _happened(
        self, number: int, edges: Edges, happens: NDArray[np.int64], since: dict[int, NDArray[np.int64]]
    ) -> None:
        """Follow the edges of an inference from what has happened before cycle 0, or in it.

        Args: happens: (tasks,) the cycle in which their sources do; since: (tasks,) of each inference, when
            the last thing happened that a task waits for.
        """
        cycles = np.repeat(happens, np.diff(edges.first))
        past = cycles <= 0
        for distance in np.unique(edges.distance[past]).tolist():
            later = number + distance
            if self._inferences is None or later < self._inferences:
                some = past & (edges.distance == distance)
                waits = self._touch(later).waits
                for target in edges.target[some].tolist():
                    waits[target] -= 1
                last = since.setdefault(later, np.full(self._size, _LONG_AGO))
                np.maximum.at(last, edges.target[some], cycles[some])

    def _hold(self, inference: Inference, tasks: NDArray[np.int64]) -> None:
        """Let those of an inference's tasks run on that have begun and are not over at cycle 0."""
        for task in tasks.tolist():
            began = inference.start[task]
            finish, release = began + self._tasks.latency[task], began + self._tasks.occupancy[task]
            if finish > 0 or release > 0:
                inference.servers[task].resume((inference.base + task, task, inference), finish, release)

    def _touch(self, number: int) -> Inference:
        """An inference, made when it is first asked for."""
        inference = self._inside.get(number)
        if inference is None:
            early = number < self._wiring.reach
            waits = self._wiring.waits_of(number).tolist() if early else self._waits[:]
            servers = self._deal(number) if self._queues.shifts(number).any() else self._plain_servers
            inference = self._inside[number] = Inference(number, number * self._size, waits, servers)
        return inference

    def _deal(self, number: int) -> list[Server]:
        """The server of each task of an inference."""
        servers = self._servers
        return [servers[queue] for queue in self._queues.dealt(number).tolist()] if servers else []

    def _remember(self, task: int, inference: Inference) -> None:
        """A task has begun."""
        if self._starts:
            self._begun[task] += 1
            self._begun_by[task] += inference.number
            self._starts[task].appendleft(inference.start[task])

    def _started(self, ticket: Ticket) -> None:
        _, task, inference = ticket
        self._remember(task, inference)
        joins = self._satisfy(self._start_near[task], inference)
        if task in self._start_far:
            joins += self._satisfy_far(self._start_far[task], inference)
        if joins:
            self._pass(joins)

    def _finished(self, ending: Ending) -> None:
        _, task, inference = ending.ticket
        joins = self._satisfy(self._finish_near[task], inference)
        if task in self._finish_far:
            joins += self._satisfy_far(self._finish_far[task], inference)
        if joins:
            self._pass(joins)

    def _satisfy(self, targets: list[int], inference: Inference) -> Joins:
        """Take one wait from each target: announce tasks that become ready, return joins that do."""
        waits = inference.waits
        joins: Joins = []
        for target in targets:
            left = waits[target] - 1
            waits[target] = left
            if not left:
                if self._is_join[target]:
                    joins.append((inference, target))
                else:
                    self._arbiter.announce((inference.base + target, target, inference))
        return joins

    def _satisfy_far(self, edges: list[tuple[int, int]], inference: Inference) -> Joins:
        """The same for the edges that lead to a later inference."""
        joins: Joins = []
        for target, distance in edges:
            number = inference.number + distance
            if self._inferences is None or number < self._inferences:
                joins += self._satisfy([target], self._touch(number))
        return joins

    def _pass(self, joins: Joins) -> None:
        """Start and finish joins and, transitively, the joins that they complete."""
        now = int(self._clock.now)
        while joins:
            inference, task = joins.pop()
            inference.start[task] = now
            joins += self._satisfy(self._finish_near[task], inference)
            if task == self._size - 1:
                self._leave(inference)
            if task in self._finish_far:
                joins += self._satisfy_far(self._finish_far[task], inference)

    def _keep(self, inference: Inference) -> None:
        """Keep the schedule of an inference that leaves; of several at once the youngest is the last."""
        kept, at_once = self._kept, bool(self.left) and self.left[-1] == self._clock.now
        if not at_once or not kept or kept[-1].number < inference.number:
            kept.append(inference)
        elif kept.maxlen != 1:
            kept.insert(len(kept) - 1, inference)

    def _leave(self, inference: Inference) -> None:
        """Drop an inference whose exit has finished."""
        if any(inference.waits):
            raise deadlock(self._graph)
        del self._inside[inference.number]
        self._keep(inference)
        self.left.append(int(self._clock.now))
        if len(self.left) == self._goal:
            self._clock.schedule(Signal([StopSimulation.callback]), REST)


def _follow(edges: Edges) -> tuple[Near, Far]:
    """The edges as Python lists: those inside an inference for each task, the others where there are any."""
    tasks = len(edges.first) - 1
    source = np.repeat(np.arange(tasks), np.diff(edges.first))
    inside = edges.distance == 0
    ends = np.cumsum(np.bincount(source[inside], minlength=tasks)).tolist()
    targets = edges.target[inside].tolist()
    near = [targets[begin:end] for begin, end in itertools.pairwise([0, *ends])]
    far: Far = {}
    columns = (column[~inside].tolist() for column in (source, edges.target, edges.distance))
    for task, target, distance in zip(*columns, strict=True):
        far.setdefault(task, []).append((target, distance))
    return near, far


def run_event(graph: TaskGraph, inferences: int = 1, in_flight: int | None = None) -> Run:
    """Run some inferences to their end.

    Args: in_flight: an inference enters when the one ``in_flight`` before it leaves; None: all at cycle 0.
    Raises: SimulationError: when tasks wait for each other.
    """
    engine = EventEngine(graph, in_flight=in_flight, inferences=inferences)
    engine.advance()
    return engine.result()
