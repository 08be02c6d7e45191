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

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from archsim.errors import SimulationError
from archsim.task_graph import JOIN, Edges, TaskGraph


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
    def left(self) -> list[int]:
        """Cycles at which inferences left, in the order in which they did."""

    def advance(self, completions: int) -> None:
        """Run to the end of the instant in which that many inferences have left, or to the end of all.

        Raises: SimulationError: when tasks wait for each other.
        """

    def last_start(self) -> NDArray[np.int64]:
        """(tasks,) start of each task of the inference that left last."""

    def state(self) -> object:
        """What the future depends on, counted from the present cycle and the first inference inside.

        Two equal states, at any two times of one engine, have the same future. None while inferences
        are still to enter that lack edges from before the first inference.
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
    tasks = np.arange(len(graph), dtype=np.int32)
    finish_source = np.repeat(tasks, np.diff(graph.on_finish.first))
    start_source = np.repeat(tasks, np.diff(graph.on_start.first))
    late = graph.resource[start_source] == JOIN
    finish = (
        np.concatenate([finish_source, start_source[late]]),
        np.concatenate([graph.on_finish.target, graph.on_start.target[late]]),
        np.concatenate([graph.on_finish.distance, graph.on_start.distance[late]]),
    )
    start = start_source[~late], graph.on_start.target[~late], graph.on_start.distance[~late]
    if in_flight is not None:
        admission = graph.exit, graph.entry, in_flight
        finish = tuple(np.append(row, np.int32(end)) for row, end in zip(finish, admission, strict=True))
    target = np.concatenate([finish[1], start[1]])
    distance = np.concatenate([finish[2], start[2]])
    far = distance > 0
    waits = np.bincount(target, minlength=len(graph)).astype(np.int32)
    return Wiring(_sorted(*finish, len(graph)), _sorted(*start, len(graph)), waits, target[far], distance[far])


def _sorted(
    source: NDArray[np.int32], target: NDArray[np.int32], distance: NDArray[np.int32], tasks: int
) -> Edges:
    order = np.argsort(source, kind="stable")
    first = np.zeros(tasks + 1, dtype=np.int64)
    np.cumsum(np.bincount(source, minlength=tasks), out=first[1:])
    return Edges(first, target[order], distance[order])


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

    Args: first: (resources + 1,) where the queues of each resource begin.
    """

    graph: TaskGraph
    first: NDArray[np.int64]
    copies: NDArray[np.int64]

    @classmethod
    def of(cls, graph: TaskGraph) -> Queues:
        """The queues of ``graph``."""
        copies = np.array([resource.copies for resource in graph.resources], dtype=np.int64)
        return cls(graph, np.concatenate([[0], np.cumsum(copies)]), copies)

    def shifts(self, inference: int) -> NDArray[np.int64]:
        """(resources,) by how many copies the deal of an inference is ahead of that of inference 0."""
        return inference * self.graph.turns.astype(np.int64) % self.copies

    def dealt(self, inference: int) -> NDArray[np.int64]:
        """(tasks,) the queue of each task of an inference, -1 for a join."""
        resource = self.graph.resource
        if not len(self.copies):
            return np.full(len(resource), -1, dtype=np.int64)
        copy = (self.graph.turn + self.shifts(inference)[resource]) % self.copies[resource]
        return np.where(resource == JOIN, -1, self.first[resource] + copy)
