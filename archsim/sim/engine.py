"""What every engine is, and the wiring of a task graph as engines follow it.

Arbitration, the same in every engine, so that all give each task the same start and finish. An instant
is processed in rounds:

1. All finishes and releases of the round happen and, transitively, the joins that they complete.
2. The tasks that became ready enter their queues in the order of their numbers. Queues are first in,
   first out: a task of an earlier round of the same instant stays ahead.
3. Every free server starts the first of its queue. Tasks made ready by those starts, and finishes and
   releases that come after no time, belong to the next round of the same instant.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from archsim.errors import SimulationError
from archsim.graph_blocks import Edges
from archsim.native import Native
from archsim.sim.run import Run
from archsim.task_graph import JOIN, Resource, TaskGraph

_begun_no_later = Native("archsim.sim.fast_glimpse", "begun_no_later")


class Engine(Protocol):
    """A run of a graph that can be continued: time goes on only in ``advance``."""

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
        """Store what to run.

        Args: in_flight: an inference enters when the one ``in_flight`` before it leaves, None: all enter
            at cycle 0; inferences: how many there are, None: admission never ends; keep: schedules kept,
            of the inferences that left last, None: all; warm: how far the first inferences are at cycle
            0, None: nowhere; remember: how many starts of each task, for ``glimpse``.
        Raises: ValueError: when the machine cannot be as ``warm`` says.
        """

    @property
    def left(self) -> Sequence[int]:
        """Cycles at which inferences left, in the order in which they did."""

    def advance(self, completions: int | None = None) -> None:
        """Run to the end of the instant in which that many inferences have left; None: to the end of all.

        Raises: SimulationError: when tasks wait for each other.
        """

    def last_start(self) -> NDArray[np.int64]:
        """(tasks,) start of each task of the inference that left last."""

    def result(self) -> Run:
        """What has been measured until now."""

    def glimpse(self) -> Glimpse:
        """What the future depends on; for an engine that remembers starts."""


NO_STATE = "a task has started before something that it waits for has happened"


@dataclass(frozen=True, slots=True, eq=False)
class Warm:
    """How far the first inferences are at cycle 0 of a run that does not begin in an empty machine.

    Inference i has been inside for ``age_cycles[i]`` cycles, and done what ``start`` says by then. More
    tasks may hold a resource than it has servers; then it serves no other until enough have released it.
    What waits for nothing but a server is in its queue in the order in which it came to be ready.

    Args: start: (tasks,) cycles of an inference's life at which its tasks start; but the entry is over;
        age_cycles: (inferences,) the oldest first.
    """

    start: NDArray[np.int64]
    age_cycles: NDArray[np.int64]

    def of(self, inferences: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """``start`` and ``age_cycles`` of as many inferences.

        Raises: ValueError: when there are others, or one of them has left.
        """
        if len(self.age_cycles) != inferences:
            raise ValueError(f"{inferences} inferences are inside, not {len(self.age_cycles)}")
        if (self.age_cycles >= self.start[-1]).any():
            raise ValueError("an inference that has left is not inside")
        start = self.start.copy()
        start[0] = min(int(start.min()), int(self.age_cycles.min())) - 1
        return start, self.age_cycles


class Glimpse(NamedTuple):
    """What the future depends on: what has begun, what of it is not over yet, and the order of queues.

    Args: now: the cycle; left: inferences that have; occupancy: (tasks,) of the graph; cycles: (tasks,) from
        the start of a task until it is over; begun: (tasks, 2) how often each has begun, ``left`` for a join,
        which others determine, and the sum of the inferences that began it, which tells whether one has
        overtaken another; starts: (tasks, remembered) cycles of its starts, the last one first; waiting: the
        tasks in each queue, counted from the first one of inference 0, each queue ended by -1; shifts:
        (resources,) by how many copies the deal of the next inference is ahead.
    """

    now: int
    left: int
    occupancy: NDArray[np.int32]
    cycles: NDArray[np.int32]
    begun: NDArray[np.int32] | NDArray[np.int64]
    starts: NDArray[np.int32] | NDArray[np.int64]
    waiting: NDArray[np.int64]
    shifts: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        queues: Queues,
        now: int,
        left: int,
        begun: NDArray[np.signedinteger[Any]],
        starts: NDArray[np.signedinteger[Any]],
        waiting: NDArray[np.int64],
    ) -> Glimpse:
        """What an engine of these queues remembers; of what has begun it takes a copy."""
        graph, begun = queues.graph, begun.copy()
        # as far as numbers of this width tell the sum, as the compiled loop adds
        begun[graph.resource == JOIN] = np.array([left, left * (left - 1) // 2]).astype(begun.dtype)
        cycles = np.maximum(graph.occupancy, graph.latency)
        return cls(now, left, graph.occupancy, cycles, begun, starts.copy(), waiting, queues.shifts(left))

    def near(self, other: Glimpse, cycles: float) -> bool:
        """Whether each is no later than the other: with 0 cycles a run goes on in the same way after both."""
        return self.no_later(other, cycles) and other.no_later(self, cycles)

    def no_later(self, other: Glimpse, cycles: float) -> bool:
        """Whether all is as far as it was in ``other`` some cycles ago, one inference on for each that left.

        What had begun, been released or finished there has done so here. What runs here began no more than
        ``cycles`` later than there. What waits in both has no more than ``cycles`` of other work before it,
        of what waits in both.
        """
        # in one row, so that one function is compiled for all numbers of starts
        here, there = (each._replace(starts=each.starts.ravel()) for each in (self, other))
        return (
            np.array_equal(self.shifts, other.shifts)
            and bool(_begun_no_later(here, there, math.floor(cycles), math.ceil(cycles)))
            and self._served_by(other, cycles)
        )

    def _served_by(self, other: Glimpse, cycles: float) -> bool:
        """``no_later`` for what waits."""
        here, there = (np.flatnonzero(each.waiting >= 0) for each in (self, other))
        later = (self.left - other.left) * len(self.begun)
        own, theirs = self.waiting[here], other.waiting[there] + later
        _, same, like = np.intersect1d(own, theirs, assume_unique=True, return_indices=True)
        here, there = here[same], there[like]
        more = self._work_before(here)[here] - other._work_before(there)[there]
        return bool((more <= cycles).all())

    def _work_before(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """For each place in the queues, the cycles of work before it, of some places only."""
        work = np.zeros(len(self.waiting), dtype=np.int64)
        work[places] = self.occupancy[self.waiting[places] % len(self.begun)]
        before = np.cumsum(work) - work
        ends = np.flatnonzero(self.waiting < 0)
        first = before[np.append(0, ends[:-1] + 1)]
        before -= np.repeat(first, np.diff(ends, prepend=-1))
        return before


@dataclass(frozen=True, slots=True, eq=False)
class Wiring:
    """The edges of a graph as an engine follows them, and what they make a task wait for.

    A join starts and finishes in one step, so that its start-to-start edges count as finish-to-start ones.
    Args: waits: (tasks,) predecessors of a task once all inferences that edges reach back to exist;
        far_target, far_distance: of the edges that lead to a later inference.
    """

    on_finish: Edges
    on_start: Edges
    waits: NDArray[np.int32]
    far_target: NDArray[np.int32]
    far_distance: NDArray[np.int32]

    @property
    def reach(self) -> int:
        """The longest distance of an edge: from this inference on, all inferences wait alike."""
        return int(self.far_distance.max(initial=0))

    def waits_of(self, inference: int) -> NDArray[np.int32]:
        """(tasks,) predecessors of each task of one inference."""
        missing = self.far_target[self.far_distance > inference]
        if not len(missing):
            return self.waits
        return self.waits - np.bincount(missing, minlength=len(self.waits)).astype(np.int32)


class Links(NamedTuple):
    """Edges as compiled functions take them."""

    first: NDArray[np.int64]
    target: NDArray[np.int32]
    distance: NDArray[np.int32]

    @classmethod
    def of(cls, edges: Edges) -> Links:
        """These edges."""
        return cls(edges.first, edges.target, edges.distance)


def wire(graph: TaskGraph, in_flight: int | None) -> Wiring:
    """Check a graph and add the admission edge: an inference enters when one leaves.

    Raises: SimulationError: for a duration that is negative, or a join that takes time.
    """
    joins = np.flatnonzero(graph.resource == JOIN)
    _check_durations(graph, joins)
    on_finish, on_start = graph.on_finish, graph.on_start
    if in_flight is not None or (on_start.first[joins] < on_start.first[joins + 1]).any():
        finish, start = _rows(on_finish), _rows(on_start)
        passing = graph.resource[start[0]] == JOIN
        finish, start = np.concatenate([finish, start[:, passing]], axis=1), start[:, ~passing]
        if in_flight is not None:
            admission = np.array([[graph.exit], [graph.entry], [in_flight]], dtype=np.int32)
            finish = np.concatenate([finish, admission], axis=1)
        on_finish, on_start = _edges(finish, len(graph)), _edges(start, len(graph))
    waits = np.bincount(on_finish.target, minlength=len(graph))
    waits += np.bincount(on_start.target, minlength=len(graph))
    far = [np.flatnonzero(edges.distance != 0) for edges in (on_finish, on_start)]
    return Wiring(
        on_finish=on_finish,
        on_start=on_start,
        waits=waits.astype(np.int32),
        far_target=np.concatenate([on_finish.target[far[0]], on_start.target[far[1]]]),
        far_distance=np.concatenate([on_finish.distance[far[0]], on_start.distance[far[1]]]),
    )


def _rows(edges: Edges) -> NDArray[np.int32]:
    """(3, edges): source, target, distance."""
    tasks = np.arange(len(edges.first) - 1, dtype=np.int32)
    return np.stack([np.repeat(tasks, np.diff(edges.first)), edges.target, edges.distance])


def _edges(rows: NDArray[np.int32], tasks: int) -> Edges:
    source, target, distance = rows.take(np.argsort(rows[0], kind="stable"), axis=1)
    first = np.zeros(tasks + 1, dtype=np.int64)
    np.cumsum(np.bincount(source, minlength=tasks), out=first[1:])
    return Edges(first, target, distance)


def _check_durations(graph: TaskGraph, joins: NDArray[np.int64]) -> None:
    """Refuse durations that no task can have; ``joins``: the tasks without resource."""
    if min(graph.occupancy.min(), graph.latency.min()) < 0:
        task = int(np.argmax((graph.occupancy < 0) | (graph.latency < 0)))
        raise SimulationError(
            f"{graph.describe_task(task)} has occupancy {graph.occupancy[task]} and latency "
            f"{graph.latency[task]} cycles; neither may be negative"
        )
    slow = joins[(graph.occupancy[joins] != 0) | (graph.latency[joins] != 0)]
    if len(slow):
        task = int(slow[0])
        raise SimulationError(
            f"{graph.describe_task(task)} has occupancy {graph.occupancy[task]} and latency "
            f"{graph.latency[task]} cycles; a task without resource takes no time"
        )


def stretches(values: NDArray[np.signedinteger[Any]]) -> NDArray[np.int64]:
    """Where each stretch of equal values begins: tasks that follow on each other mostly share a resource."""
    return np.append(0, np.flatnonzero(values[1:] != values[:-1]) + 1)


def used(graph: TaskGraph, tasks: slice) -> NDArray[np.bool_]:
    """(resources + 1,) whether any of some tasks uses each resource; the last one is what joins have."""
    resource = graph.resource[tasks]
    found = np.zeros(len(graph.resources) + 1, dtype=bool)
    found[resource[stretches(resource)]] = True
    found[JOIN] = False
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Queues:
    """The queues of a graph: ``copies`` of each resource, to which tasks are dealt in turn.

    Args: copies: (resources,); resource: (queues,) which resource each queue belongs to.
    """

    graph: TaskGraph
    copies: NDArray[np.int64]
    resource: NDArray[np.int64]

    @classmethod
    def of(cls, graph: TaskGraph) -> Queues:
        """The queues of ``graph``."""
        copies = np.array([resource.copies for resource in graph.resources], dtype=np.int64)
        return cls(graph, copies, np.repeat(np.arange(len(copies)), copies))

    @property
    def resources(self) -> list[Resource]:
        """(queues,) the resource of each queue."""
        return [self.graph.resources[number] for number in self.resource.tolist()]

    @property
    def servers(self) -> NDArray[np.int64]:
        """(queues,) tasks that each serves at once."""
        return np.array([resource.servers for resource in self.graph.resources])[self.resource]

    def shifts(self, inference: int) -> NDArray[np.int64]:
        """(resources,) by how many copies the deal of an inference is ahead of that of inference 0."""
        return inference * self.graph.turns.astype(np.int64) % self.copies

    def dealt(self, inference: int) -> NDArray[np.int64]:
        """(tasks,) the queue of each task of an inference, -1 for a join."""
        return self._among(self.copies, self.shifts(inference))

    def _among(self, copies: NDArray[np.int64], ahead: NDArray[np.int64]) -> NDArray[np.int64]:
        """(tasks,) the queue of each task if tasks go in turn to the first ``copies`` of a resource alone.

        Args: copies, ahead: (resources,) ahead: by how many copies the deal is.
        """
        if (self.copies == 1).all():
            return self.graph.resource.astype(np.int64)
        # a join, whose resource is JOIN, takes the last row of these
        first = np.append(np.cumsum(self.copies) - self.copies, -1)
        resource = self.graph.resource
        queue = first[resource]
        dealt = np.flatnonzero(np.append(copies > 1, False)[resource])
        resource = resource[dealt]
        queue[dealt] += (self.graph.turn[dealt] + ahead[resource]) % copies[resource]
        return queue

    def busy_cycles(self) -> NDArray[np.float64]:
        """(queues,) cycles for which an inference of a long stream holds each server of each queue.

        With ``g`` the common divisor of the copies and of the tasks dealt in an inference, a copy serves
        the tasks of every g-th turn, each once in copies / g inferences.
        """
        first = np.cumsum(self.copies) - self.copies
        common = np.gcd(self.graph.turns.astype(np.int64), self.copies)
        share = self._among(common, np.zeros_like(common))
        begin = stretches(share)
        held = np.add.reduceat(self.graph.occupancy, begin, dtype=np.int64)
        busy = np.bincount(share[begin] + 1, held, len(self.resource) + 1)[1:]
        owner = self.resource
        copy = np.arange(len(owner)) - first[owner]
        served = busy[first[owner] + copy % common[owner]] * common[owner]
        per_inference: NDArray[np.float64] = served / (self.copies[owner] * self.servers)
        return per_inference

    def bound_cycles(self) -> float:
        """Cycles for which the busiest queue is held: no stream can have a shorter mean interval."""
        return float(self.busy_cycles().max(initial=0.0))
