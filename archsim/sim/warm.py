"""Where a stream may begin: the guess at its settled state that saves filling an empty machine.

A pipeline of many equal layers is filled by as many inferences, and what it then does for ever shows in its
first layers long before. So a few inferences are let into the first layers of the graph. When the last two
of them go through a layer in the same way, one interval after each other, all later layers are taken to be
passed like that one, and the inferences of a closed loop stand one interval behind each other. Nothing
rests on the guess: the whole machine runs on from there, and ``sim.stream`` says when it has settled.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from archsim.graph_blocks import EdgeRows, Edges, ends, sorted_edges
from archsim.sim.engine import Engine, Warm
from archsim.sim.fast_engine import put_off
from archsim.sim.settle import remembered, settle_fastest
from archsim.task_graph import Alike, Place, Resource, TaskGraph

INFERENCES = 20
"""That are let into the first layers; the last ones differ, as none come after them."""

FOLLOWED = 16
"""Of these, to their end at most."""

LAYERS = 2
"""Equal ones that they go through: the first one's tasks stand for those of all later layers."""

_PATIENCE = 40
"""Completions of the first layers in which a state recurs, for a guess to be refined."""


def guess(
    graph: TaskGraph,
    engine: type[Engine],
    alone: NDArray[np.int64],
    interval_cycles: float,
) -> NDArray[np.int64] | None:
    """(tasks,) when the tasks of an inference start in the settled stream, counted from anywhere.

    Args: alone: (tasks,) their starts in an empty machine; interval_cycles: of the stream.
    Returns: None where the graph has too few equal layers, or they are not passed alike.
    """
    alike = _most_alike(graph)
    if alike is None or alike.copies <= LAYERS or not _one_way(graph, alike):
        return None
    run = engine(first_tasks(graph, alike.begin(LAYERS)), inferences=INFERENCES, keep=1)
    last = _settled(run, slice(alike.begin(LAYERS - 2), alike.begin(LAYERS - 1)), interval_cycles)
    return None if last is None else _continued(graph, alike, last, alone, interval_cycles)


def refined(
    graph: TaskGraph,
    engine: type[Engine],
    alone: NDArray[np.int64],
    start: NDArray[np.int64],
    in_flight: int,
    interval_cycles: float,
) -> NDArray[np.int64] | None:
    """(tasks,) a better guess for a number in flight: the first layers in a closed loop with the rest.

    An inference is taken to be in the rest of the graph for as long as the guess says, and enters when one
    leaves that, as in the whole loop, which is what a guess without a number in flight does not know.
    Args: start: (tasks,) the guess.
    Returns: None where the first layers do not settle at the interval.
    """
    alike = _most_alike(graph)
    assert alike is not None, "there is a guess"
    tasks = alike.begin(LAYERS)
    enters = math.floor(start[-1] - in_flight * interval_cycles)
    better = _consistent(graph, np.maximum(start, enters + alone), interval_cycles)
    if better is None:
        return None
    through = int((better + graph.latency)[:tasks].max())
    left_out = int((better[-1] - through) // interval_cycles)
    rest = math.floor(better[-1] - through - left_out * interval_cycles)
    inside = in_flight - left_out
    if inside < 1:
        return None
    first = followed(first_tasks(graph, tasks), rest)
    warm = warm_loop(np.append(better[:tasks], [through, through + rest]), inside, interval_cycles)
    remember = remembered(first, interval_cycles)
    run = engine(first, in_flight=inside, keep=1, warm=warm, remember=remember)
    if settle_fastest(run, inside, interval_cycles, _PATIENCE) is None:
        return None
    return _continued(graph, alike, run.last_start(), alone, interval_cycles)


def _most_alike(graph: TaskGraph) -> Alike | None:
    """The equal layers that most tasks are in."""
    return max(graph.alike, key=lambda some: some.tasks * some.copies, default=None)


def _continued(
    graph: TaskGraph,
    alike: Alike,
    first: NDArray[np.int64],
    alone: NDArray[np.int64],
    interval_cycles: float,
) -> NDArray[np.int64] | None:
    """(tasks,) the starts in all layers, each passed like the last but one of the first.

    Args: first: (first tasks,) their starts.
    """
    before, last, behind = (alike.begin(LAYERS - back) for back in (2, 1, 0))
    step = round(float(np.median(first[last:behind] - first[before:last])))
    start = alone.copy()
    start[:last] = first[:last]
    steps = step * np.arange(1, alike.copies - LAYERS + 2)
    end = alike.begin(alike.copies)
    start[last:end] = (first[before:last] + steps[:, None]).ravel()
    start[end:] += start[end - 1] - alone[end - 1]
    return _consistent(graph, start, interval_cycles)


def warm_loop(start: NDArray[np.int64], in_flight: int, interval_cycles: float) -> Warm:
    """A closed loop in which one inference leaves in the next cycle, the others an interval each later.

    Args: start: (tasks,) of an inference in the settled stream.
    """
    behind = [math.floor(number * interval_cycles) for number in range(in_flight)]
    return Warm(start, int(start[-1]) - 1 - np.array(behind, dtype=np.int64))


def first_tasks(graph: TaskGraph, tasks: int) -> TaskGraph:
    """The first ``tasks`` of a graph, without their actions, and an exit."""
    on_finish, on_start = _within(graph.on_finish, tasks), _within(graph.on_start, tasks)
    _, sinks = ends(on_finish, on_start, tasks)
    leaving = EdgeRows(sinks, np.full_like(sinks, tasks), np.zeros_like(sinks))
    on_finish = EdgeRows(*map(np.concatenate, zip(on_finish, leaving, strict=True)))

    def column(all_tasks: NDArray[np.int32]) -> NDArray[np.int32]:
        return np.append(all_tasks[:tasks], all_tasks[-1])

    return replace(
        graph,
        resource=column(graph.resource),
        turn=column(graph.turn),
        occupancy=column(graph.occupancy),
        latency=column(graph.latency),
        operation=column(graph.operation),
        token=column(graph.token),
        pu=column(graph.pu),
        on_finish=sorted_edges(on_finish, tasks + 1),
        on_start=sorted_edges(on_start, tasks + 1),
        actions=(),
        alike=(),
    )


def followed(graph: TaskGraph, cycles: int) -> TaskGraph:
    """A graph with one more task behind all others, which takes so many cycles and waits for no server."""
    tasks = len(graph)

    def column(all_tasks: NDArray[np.int32], value: int) -> NDArray[np.int32]:
        longer = np.append(all_tasks, all_tasks[-1])
        longer[-2] = value
        return longer

    first = np.append(graph.on_finish.first, graph.on_finish.first[-1])
    first[tasks:] += 1
    return replace(
        graph,
        resource=column(graph.resource, len(graph.resources)),
        turn=column(graph.turn, 0),
        occupancy=column(graph.occupancy, 0),
        latency=column(graph.latency, cycles),
        operation=column(graph.operation, graph.operation[-1]),
        token=column(graph.token, -1),
        pu=column(graph.pu, -1),
        on_finish=Edges(
            first,
            np.append(graph.on_finish.target, np.int32(tasks)),
            np.append(graph.on_finish.distance, np.int32(0)),
        ),
        on_start=replace(graph.on_start, first=np.append(graph.on_start.first, graph.on_start.first[-1])),
        resources=(*graph.resources, Resource("rest", "rest", Place(), servers=2**30)),
        turns=np.append(graph.turns, np.int32(0)),
    )


def _within(edges: Edges, tasks: int) -> EdgeRows:
    """The edges between the first tasks."""
    count = int(edges.first[tasks])
    source = np.repeat(np.arange(tasks, dtype=np.int32), np.diff(edges.first[: tasks + 1]))
    inside = edges.target[:count] < tasks
    return EdgeRows(source[inside], edges.target[:count][inside], edges.distance[:count][inside])


def _settled(run: Engine, layer: slice, interval_cycles: float) -> NDArray[np.int64] | None:
    """(tasks,) the starts of the first inference that goes through a layer as the one before it did."""
    before = None
    for inference in range(1, FOLLOWED + 1):
        run.advance(inference)
        last = run.last_start()
        if before is not None:
            apart = last[layer] - before[layer]
            if (np.abs(apart - interval_cycles) < 1).all():
                return last
        before = last
    return None


def _one_way(graph: TaskGraph, alike: Alike) -> bool:
    """Whether nothing in the first layers waits for what comes after the layer behind them."""
    first, last = alike.begin(LAYERS - 1), alike.begin(LAYERS)
    for edges in (graph.on_finish, graph.on_start):
        later = slice(int(edges.first[last]), None)
        if ((edges.target[later] < first) & (edges.distance[later] == 0)).any():
            return False
    return True


def _consistent(
    graph: TaskGraph, start: NDArray[np.int64], interval_cycles: float
) -> NDArray[np.int64] | None:
    """The starts, put off where a task would start before what it waits for; None where that has no end."""
    start[graph.entry] = start.min() - 1
    return start if put_off(graph, start, interval_cycles) else None
