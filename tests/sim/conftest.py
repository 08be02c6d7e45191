"""Random graphs, and a simulator of them that is slow and obvious."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import strategies as st

from archsim.task_graph import JOIN, GraphBuilder, TaskGraph

Schedule = tuple[np.ndarray, np.ndarray]
Task = tuple[int, int]


def predecessors(
    graph: TaskGraph, in_flight: int | None, inferences: int
) -> dict[Task, list[tuple[bool, Task]]]:
    """What each (inference, task) waits for: whether for a start, and of which (inference, task)."""
    before: dict[Task, list[tuple[bool, Task]]] = {
        (i, t): [] for i in range(inferences) for t in range(len(graph))
    }
    for from_start, edges in ((False, graph.on_finish), (True, graph.on_start)):
        for source in range(len(graph)):
            for edge in range(edges.first[source], edges.first[source + 1]):
                for i in range(inferences - int(edges.distance[edge])):
                    later = (i + int(edges.distance[edge]), int(edges.target[edge]))
                    before[later].append((from_start, (i, source)))
    if in_flight is not None:
        for i in range(inferences - in_flight):
            before[i + in_flight, 0].append((False, (i, len(graph) - 1)))
    return before


def simulate_by_rounds(graph: TaskGraph, inferences: int, in_flight: int | None = None) -> Schedule | None:
    """(inferences, tasks) start and finish by the rules as they are written; None for a deadlock."""
    before = predecessors(graph, in_flight, inferences)
    start: dict[Task, int] = {}
    finished: set[Task] = set()
    entered: set[Task] = set()
    serving: dict[tuple[int, int], list[Task]] = {}
    queues: dict[tuple[int, int], list[Task]] = {}
    for r, resource in enumerate(graph.resources):
        for copy in range(resource.copies):
            serving[r, copy], queues[r, copy] = [], []

    def ready(task: Task) -> bool:
        return all(p in start if from_start else p in finished for from_start, p in before[task])

    now = 0
    while len(finished) < len(before):
        # round, part 1: finishes and releases of tasks that started in an earlier round, then joins
        happened = False
        for task, began in start.items():
            if task not in finished and began + graph.latency[task[1]] == now:
                finished.add(task)
                happened = True
        for tasks in serving.values():
            for task in list(tasks):
                if start[task] + graph.occupancy[task[1]] == now:
                    tasks.remove(task)
                    happened = True
        joins = True
        while joins:
            joins = [t for t in before if graph.resource[t[1]] == JOIN and t not in start and ready(t)]
            for task in joins:
                start[task] = now
                finished.add(task)
                happened = True
        # part 2: what is ready enters its queue, in the order of numbers
        for i, t in sorted(before):
            if graph.resource[t] != JOIN and (i, t) not in entered and ready((i, t)):
                r = int(graph.resource[t])
                copy = int(graph.turn[t] + i * graph.turns[r]) % graph.resources[r].copies
                queues[r, copy].append((i, t))
                entered.add((i, t))
        # part 3: free servers start the first of their queue
        for (r, copy), queue in queues.items():
            while queue and len(serving[r, copy]) < graph.resources[r].servers:
                task = queue.pop(0)
                start[task] = now
                serving[r, copy].append(task)
                happened = True
        if not happened:
            times = [start[t] + int(graph.latency[t[1]]) for t in start if t not in finished]
            times += [start[t] + int(graph.occupancy[t[1]]) for ts in serving.values() for t in ts]
            if not times:
                return None
            now = min(times)
    starts = np.array([[start[i, t] for t in range(len(graph))] for i in range(inferences)])
    return starts, starts + graph.latency


@st.composite
def graphs(draw: st.DrawFn, cyclic: bool = False) -> TaskGraph:
    """Small graphs with everything that a graph can have; a cyclic one may have edges that lead back."""
    builder = GraphBuilder()
    resources = [
        builder.resource(f"r{r}", "part", servers=draw(st.integers(1, 2)), copies=draw(st.integers(1, 3)))
        for r in range(draw(st.integers(1, 3)))
    ]
    blocks = []
    token = np.zeros(1, dtype=np.int32)
    for _ in range(draw(st.integers(1, 10))):
        builder.begin_operation(f"op{len(blocks)}", None)
        resource = draw(st.sampled_from([*resources, JOIN]))
        durations = st.integers(0, 0 if resource == JOIN else 4)
        task = builder.add(resource, draw(durations), draw(durations), token)
        for earlier in blocks:
            kind = draw(st.sampled_from(["", "", "", "finish", "start"]))
            if kind:
                builder.edge(earlier, task, from_start=kind == "start")
        blocks.append(task)
    wires = st.sampled_from(blocks)
    for _ in range(draw(st.integers(0, 3))):
        distance = draw(st.integers(0 if cyclic else 1, 3))
        builder.edge(draw(wires), draw(wires), from_start=draw(st.booleans()), distance=distance)
    return builder.build()


@pytest.fixture(scope="session")
def oracle() -> Callable[..., Schedule | None]:
    """The slow and obvious simulator."""
    return simulate_by_rounds


@pytest.fixture(scope="session")
def waits() -> Callable[..., dict[Task, list[tuple[bool, Task]]]]:
    """What each task waits for."""
    return predecessors


@pytest.fixture(scope="session")
def random_graphs() -> st.SearchStrategy[TaskGraph]:
    """Graphs that can be run."""
    return graphs()


@pytest.fixture(scope="session")
def random_cyclic_graphs() -> st.SearchStrategy[TaskGraph]:
    """Graphs some of which cannot be run."""
    return graphs(cyclic=True)
