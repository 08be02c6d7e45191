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

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from archsim.errors import SimulationError
from archsim.sim.run import Run
from archsim.task_graph import JOIN, Edges, Resource, TaskGraph


class Engine(Protocol):
    """A run of a graph that can be continued: time goes on only in ``advance``."""

    def __init__(
        self,
        graph: TaskGraph,
        *,
        in_flight: int | None = None,
        inferences: int | None = None,
        keep: int | None = None,
    ) -> None:
        """Store what to run.

        Args: in_flight: an inference enters when the one ``in_flight`` before it leaves, None: all enter
            at cycle 0; inferences: how many there are, None: admission never ends; keep: schedules kept,
            of the inferences that left last, None: all.
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

    def state(self) -> object:
        """All that the future depends on, relative to the present cycle and the oldest inference inside.

        The same engine does the same again after two equal states. None as long as not every inference
        that edges can lead back before the first one has been touched: those do not wait like later ones.
        State: the finishes to come (delay, task number) and the releases (delay, queue), sorted; the task
        numbers in each queue; what the tasks of the inferences that have been touched wait for; which of
        the later ones have left; whose turn it is among copies.
        """


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


def wire(graph: TaskGraph, in_flight: int | None) -> Wiring:
    """Check a graph and add the admission edge: an inference enters when one leaves.

    Raises: SimulationError: for a duration that is negative, or a join that takes time.
    """
    _check_durations(graph)
    finish, start = _rows(graph.on_finish), _rows(graph.on_start)
    passing = graph.resource[start[0]] == JOIN
    finish, start = np.concatenate([finish, start[:, passing]], axis=1), start[:, ~passing]
    if in_flight is not None:
        admission = np.array([[graph.exit], [graph.entry], [in_flight]], dtype=np.int32)
        finish = np.concatenate([finish, admission], axis=1)
    _, target, distance = np.concatenate([finish, start], axis=1)
    far = distance > 0
    return Wiring(
        on_finish=_edges(finish, len(graph)),
        on_start=_edges(start, len(graph)),
        waits=np.bincount(target, minlength=len(graph)).astype(np.int32),
        far_target=target[far],
        far_distance=distance[far],
    )


def _rows(edges: Edges) -> NDArray[np.int32]:
    """(3, edges): source, target, distance."""
    tasks = np.arange(len(edges.first) - 1, dtype=np.int32)
    return np.stack([np.repeat(tasks, np.diff(edges.first)), edges.target, edges.distance])


def _edges(rows: NDArray[np.int32], tasks: int) -> Edges:
    source, target, distance = rows[:, np.argsort(rows[0], kind="stable")]
    first = np.zeros(tasks + 1, dtype=np.int64)
    np.cumsum(np.bincount(source, minlength=tasks), out=first[1:])
    return Edges(first, target, distance)


def _check_durations(graph: TaskGraph) -> None:
    negative = np.flatnonzero((graph.occupancy < 0) | (graph.latency < 0))
    if len(negative):
        task = int(negative[0])
        raise SimulationError(
            f"{graph.describe_task(task)} has occupancy {graph.occupancy[task]} and latency "
            f"{graph.latency[task]} cycles; neither may be negative"
        )
    slow = np.flatnonzero((graph.resource == JOIN) & ((graph.occupancy != 0) | (graph.latency != 0)))
    if len(slow):
        task = int(slow[0])
        raise SimulationError(
            f"{graph.describe_task(task)} has occupancy {graph.occupancy[task]} and latency "
            f"{graph.latency[task]} cycles; a task without resource takes no time"
        )


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

    def shifts(self, inference: int) -> NDArray[np.int64]:
        """(resources,) by how many copies the deal of an inference is ahead of that of inference 0."""
        return inference * self.graph.turns.astype(np.int64) % self.copies

    def dealt(self, inference: int) -> NDArray[np.int64]:
        """(tasks,) the queue of each task of an inference, -1 for a join."""
        held = self.graph.resource != JOIN
        resource = self.graph.resource[held]
        copy = (self.graph.turn[held] + self.shifts(inference)[resource]) % self.copies[resource]
        queue = np.full(len(self.graph), -1, dtype=np.int64)
        queue[held] = (np.cumsum(self.copies) - self.copies)[resource] + copy
        return queue

    def busy_cycles(self) -> NDArray[np.float64]:
        """(queues,) cycles for which each queue is held in an inference of a long stream, a server.

        With ``g`` the common divisor of the copies and of the tasks dealt in an inference, a copy serves
        the tasks of every g-th turn, each once in copies / g inferences.
        """
        held = self.graph.resource != JOIN
        resource = self.graph.resource[held]
        common = np.gcd(self.graph.turns.astype(np.int64), self.copies)
        base = (np.cumsum(self.copies) - self.copies)[self.resource]
        share = (np.cumsum(self.copies) - self.copies)[resource] + self.graph.turn[held] % common[resource]
        busy = np.bincount(share, self.graph.occupancy[held], len(self.resource))
        # the turns beyond the common divisor are served by the same copies
        copy = np.arange(len(self.resource)) - base
        busy = busy[base + copy % common[self.resource]]
        servers = np.array([resource.servers for resource in self.resources], dtype=np.int64)
        per_inference: NDArray[np.float64] = (
            busy * common[self.resource] / (self.copies[self.resource] * servers)
        )
        return per_inference

    def bound_cycles(self) -> float:
        """Cycles for which the busiest queue is held: no stream can have a shorter mean interval."""
        return float(self.busy_cycles().max(initial=0.0))
