"""Chains of equal layers: graphs that go through equal layers one after the other.

What comes before the layers leads to the first one alone, each layer to the next, and the last one to what
comes behind. Then few layers tell what many do: an inference alone passes them all in the same way, as soon
as it passes two in the same way with nothing else left behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from archsim.errors import SimulationError
from archsim.graph_blocks import Edges
from archsim.sim.engine import Engine, Queues, used
from archsim.task_graph import Alike, TaskGraph

_FEW = 4
"""Layers of a chain that is shortened: three that are compared, and the last one."""

_MANY = 3 * _FEW
"""Layers from which on looking at few of them first saves most of the work."""

_IS_CHAIN: WeakKeyDictionary[TaskGraph, bool] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """A graph whose ``layers`` are a chain."""

    graph: TaskGraph
    layers: Alike

    @classmethod
    def of(cls, graph: TaskGraph) -> Chain | None:
        """The chain of most tasks, None where there is none of some length."""
        if graph not in _IS_CHAIN:
            _IS_CHAIN[graph] = _is_chain(graph)
        layers = most_alike(graph)
        return cls(graph, layers) if layers is not None and _IS_CHAIN[graph] else None

    def least_step(self, start: NDArray[np.int64]) -> int:
        """Cycles from layer to layer that the edges between them ask for at least.

        Args: start: (first tasks,) of tasks up to the end of the first layer, or more.
        """
        graph, (begin, end, over) = self.graph, (self.layers.begin(number) for number in range(3))
        least = 0
        for edges, lasts in ((graph.on_finish, graph.latency[begin:end]), (graph.on_start, 0)):
            some = slice(int(edges.first[begin]), int(edges.first[end]))
            happens = np.repeat(start[begin:end] + lasts, np.diff(edges.first[begin : end + 1]))
            target = edges.target[some]
            onward = (target >= end) & (target < over)
            late = happens[onward] - start[target[onward] - self.layers.tasks]
            least = max(least, int(late.max(initial=0)))
        return least

    def shortened(self) -> TaskGraph:
        """The graph of a model with fewer of these layers, without its actions."""
        graph, layers = self.graph, self.layers
        head, last = layers.begin(_FEW - 1), layers.begin(layers.copies - 1)
        # behind the first ones come tasks that are so much further on in the whole graph
        further = last - head
        resource = np.arange(len(graph.resources) + 1, dtype=np.int32)
        resource[-1] = -1
        for back in (2, 1):
            there, here = layers.begin(layers.copies - back), layers.begin(_FEW - back)
            resource[graph.resource[there : there + layers.tasks]] = graph.resource[
                here : here + layers.tasks
            ]
        few = graph.chosen(
            np.append(np.arange(head), np.arange(last, len(graph))),
            on_finish=_without(graph.on_finish, head, further, graph.exit),
            on_start=_without(graph.on_start, head, further, graph.exit),
        )
        few.resource[head:] = resource[graph.resource[last:]]
        few.turn[head : head + layers.tasks] = graph.turn[head : head + layers.tasks]
        return few


def most_alike(graph: TaskGraph) -> Alike | None:
    """The equal layers that most tasks are in."""
    return max(graph.alike, key=lambda some: some.tasks * some.copies, default=None)


def start_alone(graph: TaskGraph, engine: type[Engine]) -> NDArray[np.int64]:
    """(tasks,) when the tasks of an inference start in an empty machine.

    Raises: SimulationError: when tasks wait for each other.
    """
    chain = Chain.of(graph)
    saves_most = chain is not None and chain.layers.copies >= _MANY
    start = _few_and_more(chain, engine) if chain is not None and saves_most else None
    return _run(graph, engine) if start is None else start


def _run(graph: TaskGraph, engine: type[Engine]) -> NDArray[np.int64]:
    run = engine(graph, inferences=1)
    run.advance(1)
    return run.last_start()


def _few_and_more(chain: Chain, engine: type[Engine]) -> NDArray[np.int64] | None:
    """(tasks,) the starts in all layers, from those in few of them.

    When the third layer begins, the first one is over, and when the fourth begins, the second. If the second
    and the third layer are passed alike, the machine is in the same state both times, but for the number of
    the layer, and goes on in the same way; so it does until the last layer.
    Returns: None where the layers are not passed like that.
    """
    graph, layers = chain.graph, chain.layers
    if not _apart(graph, layers):
        return None
    try:
        few = _run(chain.shortened(), engine)
    except SimulationError:
        return None  # a run of the whole graph names its tasks
    begin, end = layers.begin(0), layers.begin(_FEW)
    lasts = np.maximum(graph.occupancy, graph.latency)[:end]
    starts = few[begin:end].reshape(_FEW, -1)
    over = int((few[:end] + lasts)[: layers.begin(1)].max())
    first, second, third, last = starts
    step = int(second[0] - first[0])
    alike = (second - first == step).all() and (third - second == step).all()
    if not alike or over > third.min() or last.min() - third.min() != step:
        return None
    start = np.empty(len(graph), dtype=np.int64)
    start[:begin] = few[:begin]
    more = start[begin : layers.begin(layers.copies - 1)].reshape(-1, layers.tasks)
    more[:] = first + step * np.arange(len(more))[:, None]
    start[layers.begin(layers.copies - 1) :] = few[layers.begin(_FEW - 1) :] + step * (layers.copies - _FEW)
    return start


def _is_chain(graph: TaskGraph) -> bool:
    layers = most_alike(graph)
    if layers is None or layers.copies <= _FEW:
        return False
    both = (graph.on_finish, graph.on_start)
    return (
        all(_one_after_the_other(graph, layers, edges) for edges in both)
        and all(_lead_alike(graph, layers, edges) for edges in both)
        and _take_alike(graph, layers)
        and _share_alike(graph, layers)
    )


def _one_after_the_other(graph: TaskGraph, layers: Alike, edges: Edges) -> bool:
    """Whether edges lead on in the same part or to the next, and to later inferences in the same part.

    Those of the first layer and of the last, of what comes before and of what comes behind.
    """
    every, last = len(graph), layers.copies - 1
    parts = (
        (0, layers.begin(0), layers.begin(1)),
        (layers.begin(0), layers.begin(1), layers.begin(2)),
        (layers.begin(last), layers.begin(last + 1), every),
        (layers.begin(last + 1), every, every),
    )
    for begin, end, next_end in parts:
        some = slice(int(edges.first[begin]), int(edges.first[end]))
        target, within = edges.target[some], edges.distance[some] == 0
        near = (target >= begin) & (target < np.where(within, next_end, end))
        if not (near | within & (target == graph.exit)).all():
            return False
    return True


def _lead_alike(graph: TaskGraph, layers: Alike, edges: Edges) -> bool:
    """Whether all layers but the last have the edges of the first, and the last one its own among them."""
    begin, last, behind = layers.begin(0), layers.begin(layers.copies - 1), layers.begin(layers.copies)
    counts = np.diff(edges.first[begin : last + 1]).reshape(layers.copies - 1, -1)
    if not (counts == counts[0]).all():
        return False
    some = slice(int(edges.first[begin]), int(edges.first[last]))
    target, distance = (each[some].reshape(layers.copies - 1, -1) for each in (edges.target, edges.distance))
    further = layers.tasks * np.arange(layers.copies - 1, dtype=np.int32)[:, None]
    different = target - further != target[0]
    if different.any():
        leaving = (target == graph.exit) & (distance == 0)
        if (different & ~leaving).any() or (leaving != leaving[0]).any():
            return False
    if (distance != distance[0]).any():
        return False
    source = np.repeat(np.arange(layers.tasks), counts[0])
    own = target[0] < layers.begin(1)
    some = slice(int(edges.first[last]), int(edges.first[behind]))
    sources = np.repeat(np.arange(layers.tasks), np.diff(edges.first[last : behind + 1]))
    inside = edges.target[some] < behind
    ahead = edges.target[some][inside] - np.int32(last - begin)
    return (
        np.array_equal(sources[inside], source[own])
        and np.array_equal(ahead, target[0][own])
        and np.array_equal(edges.distance[some][inside], distance[0][own])
    )


def _take_alike(graph: TaskGraph, layers: Alike) -> bool:
    """Whether all layers take the same cycles."""
    every = slice(layers.begin(0), layers.begin(layers.copies))
    rows = (cycles[every].reshape(layers.copies, -1) for cycles in (graph.occupancy, graph.latency))
    return all((row == row[0]).all() for row in rows)


def _share_alike(graph: TaskGraph, layers: Alike) -> bool:
    """Whether each layer and the next use the same queues in the places in which the first two do."""
    queues = Queues.of(graph)
    each = queues.dealt(0)[layers.begin(0) : layers.begin(layers.copies)].reshape(layers.copies, -1)
    # in each layer by itself, and then in layers side by side, of the first tasks of each queue
    first = np.empty(len(queues.resource) + 1, dtype=np.int64)
    first[each[0, ::-1]] = np.arange(layers.tasks)[::-1]
    which = first[each[0]]
    if (each != each.take(which, axis=1)).any():
        return False
    apart = each[:, which == np.arange(layers.tasks)]
    pairs = np.concatenate([apart[:-1], apart[1:]], axis=1)
    _, first, which = np.unique(pairs[0], return_index=True, return_inverse=True)
    shown = pairs[:, first]
    different = (np.diff(np.sort(shown, axis=1), axis=1) > 0).all()
    servers = np.append(queues.servers, 0)[shown]  # a join has none
    return bool(different and (pairs == shown[:, which]).all() and (servers == servers[0]).all())


def _apart(graph: TaskGraph, layers: Alike) -> bool:
    """Whether what comes behind the layers meets the same others when the graph is shortened.

    It may share resources with the last two, which keep them, but with none of the first ones alone.
    """
    behind = graph.resource[layers.begin(layers.copies) : -1]
    first = used(graph, slice(layers.begin(0), layers.begin(_FEW)))
    last_two = used(graph, slice(layers.begin(layers.copies - 2), layers.begin(layers.copies)))
    others = used(graph, slice(layers.begin(layers.copies)))
    dealt = np.array([resource.copies > 1 for resource in graph.resources] + [False])
    return not (first & ~last_two | others & dealt)[behind].any()


def _without(edges: Edges, head: int, further: int, last: int) -> Edges:
    """The edges of a graph without ``further`` tasks behind the first ones.

    Args: last: the exit.
    """
    count, begin = int(edges.first[head]), int(edges.first[head + further])
    ahead = edges.target[:count].copy()
    ahead[ahead == last] -= further
    first = np.concatenate([edges.first[:head], edges.first[head + further :] - (begin - count)])
    return Edges(
        first,
        np.concatenate([ahead, edges.target[begin:] - np.int32(further)]),
        np.concatenate([edges.distance[:count], edges.distance[begin:]]),
    )
