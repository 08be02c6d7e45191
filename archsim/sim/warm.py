"""Where a stream may begin: the guess at its settled state that saves filling an empty machine.

A pipeline of many equal layers is filled by as many inferences, and what it then does for ever shows in its
first layers long before. So a few inferences are let into the first layers of the graph. When one of them
goes through the first of the equal layers as the one before it did, an interval later, all others are taken
to be passed like that one, and the inferences of a closed loop stand one interval behind each other. Nothing
rests on the guess: a machine runs on from there, and says when it has settled.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim.graph_blocks import EdgeRows, ends, joined, sorted_edges
from archsim.sim.chain import Chain, most_alike
from archsim.sim.engine import Engine, Warm, used
from archsim.sim.fast_engine import put_off
from archsim.sim.settle import TOLERANCE
from archsim.task_graph import Alike, TaskGraph

INFERENCES = 20
"""That are let into the first layers; the last ones differ, as none come after them."""

FOLLOWED = 16
"""Of these, to their end at most."""

_FEWEST = 3
"""Equal layers that a graph must have."""


class FirstLayers(NamedTuple):
    """What comes first in a graph, and when its tasks start in the settled stream.

    All before the equal layers, the first one of them, and of the next one what shares servers with it.

    Args: graph: with an exit of its own; start: (first tasks,) without it.
    """

    graph: TaskGraph
    start: NDArray[np.int64]

    @property
    def tasks(self) -> int:
        """How many of the whole graph's first tasks these are."""
        return len(self.start)


def first_layers(graph: TaskGraph, engine: type[Engine], interval_cycles: float) -> FirstLayers | None:
    """The first layers of a settled stream.

    Args: interval_cycles: of the stream.
    Returns: None where the graph has too few equal layers, or they are not passed alike.
    """
    alike = most_alike(graph)
    if alike is None or alike.copies < _FEWEST:
        return None
    if Chain.of(graph) is None and not _one_way(graph, alike):
        return None
    first = first_tasks(graph, _shared_with_the_first(graph, alike))
    run = engine(first, inferences=INFERENCES, keep=1)
    start = _settled(run, slice(alike.begin(0), alike.begin(1)), interval_cycles)
    return None if start is None else FirstLayers(first, start[:-1])


def continued(graph: TaskGraph, first: NDArray[np.int64], alone: NDArray[np.int64]) -> NDArray[np.int64]:
    """(tasks,) the starts in all layers, each passed like the first.

    Args: first: (first tasks,) starts in the first layers; alone: (tasks,) in an empty machine.
    """
    alike = most_alike(graph)
    assert alike is not None, "there are first layers"
    begin, behind = alike.begin(0), alike.begin(alike.copies)
    layer = first[begin : alike.begin(1)]
    steps = step(alike, first) * np.arange(alike.copies)
    start = alone.copy()
    start[:begin] = first[:begin]
    start[begin:behind] = (layer + steps[:, None]).ravel()
    start[behind:] += start[behind - 1] - alone[behind - 1]
    return start


def step(alike: Alike, first: NDArray[np.int64]) -> int:
    """Cycles from the first layer to the next.

    Args: first: (first tasks,) starts in the first layers.
    """
    following = first[alike.begin(1) :]
    return round(float(np.median(following - first[alike.begin(0) :][: len(following)])))


def warm_loop(start: NDArray[np.int64], in_flight: int, interval_cycles: float) -> Warm:
    """A closed loop in which one inference leaves in the next cycle, the others an interval each later.

    Args: start: (tasks,) of an inference in the settled stream.
    """
    behind = [math.floor(number * interval_cycles) for number in range(in_flight)]
    return Warm(start, int(start[-1]) - 1 - np.array(behind, dtype=np.int64))


def first_tasks(graph: TaskGraph, tasks: int) -> TaskGraph:
    """The first ``tasks`` of a graph, without their actions, and an exit."""
    on_finish, on_start = (
        edges.between(range(tasks), range(tasks)) for edges in (graph.on_finish, graph.on_start)
    )
    _, sinks = ends(on_finish, on_start, tasks)
    on_finish = joined(on_finish, EdgeRows.of(sinks, np.full_like(sinks, tasks)))
    return graph.chosen(
        np.append(np.arange(tasks), graph.exit),
        on_finish=sorted_edges(on_finish, tasks + 1),
        on_start=sorted_edges(on_start, tasks + 1),
    )


def _settled(run: Engine, layer: slice, interval_cycles: float) -> NDArray[np.int64] | None:
    """(tasks,) the starts of the first inference that goes through a layer as the one before it did."""
    before = None
    for inference in range(1, FOLLOWED + 1):
        run.advance(inference)
        last = run.last_start()
        if before is not None:
            apart = last[layer] - before[layer]
            if (np.abs(apart - interval_cycles) < max(1, TOLERANCE * interval_cycles)).all():
                return last
        before = last
    return None


def _one_way(graph: TaskGraph, alike: Alike) -> bool:
    """Whether nothing up to the first layer waits for what comes behind the next."""
    later = _between(graph, range(alike.begin(2), len(graph)), range(alike.begin(1)))
    return bool((later > 0).all())


def _shared_with_the_first(graph: TaskGraph, alike: Alike) -> int:
    """The first tasks, up to the last one of the second layer that uses what it shares with the first alone.

    All of the second layer, where there is no such task, or where one waits for what comes after.
    """
    begin, end = alike.begin(1), alike.begin(2)
    first, second, third = (used(graph, slice(alike.begin(n), alike.begin(n + 1))) for n in range(3))
    shared = first & second & ~third
    (those,) = np.nonzero(shared[graph.resource[begin:end]])
    last = begin + int(those[-1]) + 1 if len(those) else end
    return end if len(_between(graph, range(last, end), range(begin, last))) else last


def _between(graph: TaskGraph, sources: range, targets: range) -> NDArray[np.int32]:
    """The distances of the edges from some tasks to others."""
    both = (edges.between(sources, targets) for edges in (graph.on_finish, graph.on_start))
    return joined(*both).distance


def consistent(
    graph: TaskGraph, start: NDArray[np.int64], interval_cycles: float
) -> NDArray[np.int64] | None:
    """The starts, put off where a task would start before what it waits for; None where that has no end."""
    start[graph.entry] = start.min() - 1
    return start if put_off(graph, start, interval_cycles) else None
