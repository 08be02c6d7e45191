"""Streams through chains of equal layers, folded: the first ones whole, of the others what they share.

A task of a layer that is left out stays where what is kept uses its resource too: the bus from layer to
layer, or that of a PU whose neighbour is kept. It starts as long after the same task of the first layer as a
plan says. What comes behind the layers waits for the first one, and for as much longer. So what is kept meets
all others that it would meet in the whole machine. In a stream, a task of an inference that is an interval
further along is at the same point: delays are counted modulo the interval, and an inference is inside for as
many intervals less.

Three things are asked of a folded stream, and together they stand for one of the whole machine. It settles at
the least interval that the machine allows, as simulated. In it, the first layer is passed as planned. And all
layers can keep the plan: the first ones' schedule repeated, with a bit of slack behind each task on what
layers share, since these are served at other times in every layer (``sim.timetable``).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim.graph_blocks import EdgeRows, Edges, ends, joined, sorted_edges
from archsim.sim.chain import Chain
from archsim.sim.engine import Engine, used
from archsim.sim.fast_engine import put_off
from archsim.sim.settle import TOLERANCE, remembered, settle_fastest
from archsim.sim.timetable import can_be_kept, crossings
from archsim.sim.warm import FirstLayers, continued, step, warm_loop
from archsim.task_graph import Place, Resource, TaskGraph

_NEAR = 3
_SLACK = TOLERANCE / _NEAR
"""Of an interval, behind each task on what layers share; what is ``_NEAR`` as much apart is as planned."""

_WIDER = (1, 2, 3)
"""Times that slack: what is tried until all layers can keep a plan."""

_PATIENCE = 12
"""Completions in which a state of a folded stream recurs; most take two or three."""

_TRIES = 2
"""Plans that are tried: that of the first layers alone, and that of the folded stream itself."""

_LONGEST_PERIOD = 2**29
"""Cycles, of which a few fit into the 32 bits of a delay."""

_ENDLESS = Resource("rest", "rest", Place(), servers=2**30)
"""What delays wait for."""


class FoldedLoop(NamedTuple):
    """A folded closed loop that stands for one of the whole machine, at the least interval.

    Args: start: (tasks,) of an inference in the whole graph; completions: simulated.
    """

    start: NDArray[np.int64]
    completions: int


class Folded(NamedTuple):
    """A folded graph.

    Args: start: (tasks,) when its tasks start; shown: its tasks of layers that are left out; left_out:
        intervals for which an inference is inside less.
    """

    graph: TaskGraph
    start: NDArray[np.int64]
    shown: slice
    left_out: int


def folded_loop(
    chain: Chain,
    engine: type[Engine],
    first: FirstLayers,
    alone: NDArray[np.int64],
    in_flight: int,
    interval_cycles: float,
) -> FoldedLoop | None:
    """The closed loop of ``in_flight`` inferences, folded.

    Args: alone: (tasks,) starts in an empty machine; interval_cycles: the least that the machine allows.
    Returns: None where it does not stand for one of the whole machine.
    """
    period = math.ceil(interval_cycles)
    if period > min(interval_cycles * (1 + TOLERANCE), _LONGEST_PERIOD):
        return None
    slack = math.ceil(_SLACK * period)
    completions = 0
    for _ in range(_TRIES):
        plans = (_kept(chain, first, alone, in_flight, period, wider * slack) for wider in _WIDER)
        folded = next(filter(None, plans), None)
        if folded is None:
            return None
        inside = in_flight - folded.left_out
        warm = warm_loop(folded.start, inside, interval_cycles)
        remember = remembered(folded.graph, interval_cycles)
        run = engine(folded.graph, in_flight=inside, keep=1, warm=warm, remember=remember)
        if settle_fastest(run, inside, interval_cycles, _PATIENCE) is None:
            return None
        completions += len(run.left)
        settled = first._replace(start=run.last_start()[: first.tasks])
        apart = np.ptp((settled.start - first.start)[chain.layers.begin(0) :])
        steady = abs(run.left[-1] - run.left[-2] - period)
        first = settled
        if max(int(apart), steady) <= _NEAR * slack:
            return FoldedLoop(continued(chain.graph, first.start, alone), completions)
    return None


def _kept(
    chain: Chain, first: FirstLayers, alone: NDArray[np.int64], in_flight: int, period: int, slack: int
) -> Folded | None:
    """The folded graph, its tasks as the first layers show or up to ``slack`` later.

    Returns: None where the layers cannot keep that plan, or the folded graph would hold no inference.
    """
    plan = _plan(chain, first, alone, slack)
    leaves = int(plan[-1]) + slack
    enters = leaves - in_flight * period
    np.maximum(plan, enters + alone, out=plan)
    plan[0] = enters
    folded = fold(chain, first.tasks, plan, period)
    if folded.left_out >= in_flight or not put_off(folded.graph, folded.start, period):
        return None
    kept = folded.start.copy()
    in_time = (
        can_be_kept(folded.graph, kept, period)
        and kept[-1] <= leaves - folded.left_out * period
        and (kept - folded.start)[folded.shown].max(initial=0) <= slack
    )
    return folded._replace(start=kept) if in_time else None


def _plan(chain: Chain, first: FirstLayers, alone: NDArray[np.int64], slack: int) -> NDArray[np.int64]:
    """(tasks,) the schedule of the first layers with slack, repeated."""
    graph, layers = chain.graph, chain.layers
    begin, second, behind = layers.begin(0), layers.begin(1), layers.begin(layers.copies)
    shared = used(graph, slice(second)) & used(graph, slice(first.tasks, None))
    start = first.start + slack * crossings(first.graph, shared[:-1])[:-1]
    apart = max(step(layers, start), chain.least_step(start))
    plan = alone.copy()
    plan[:begin] = start[:begin]
    more = apart * np.arange(layers.copies)[:, None]
    plan[begin:behind] = (start[begin:second] + more).ravel()
    plan[behind:] += plan[behind - 1] - alone[behind - 1]
    return plan


def fold(chain: Chain, tasks: int, start: NDArray[np.int64], period: int) -> Folded:
    """Fold the graph of a chain.

    Args: tasks: the first ones, which are kept, the first layer among them; start: (tasks,) of an inference
        in the settled stream; period: cycles from inference to inference.
    """
    graph, layers = chain.graph, chain.layers
    last_layer, behind = layers.begin(layers.copies - 1), layers.begin(layers.copies)
    both = graph.on_finish, graph.on_start
    before = [edges.between(range(tasks), range(tasks)) for edges in both]
    into = [edges.between(range(last_layer, behind), range(behind, graph.exit)) for edges in both]
    after = [edges.between(range(behind, graph.exit), range(behind, graph.exit)) for edges in both]
    shown = _shown(chain, tasks)
    delays = [
        _Delays.of(chain, start, shown, graph.on_start),
        _Delays.of(chain, start, into[0].source, graph.on_finish),
        _Delays.of(chain, start, into[1].source, graph.on_start),
    ]
    # two intervals are left, so that all that is shown is over when an inference leaves
    shortest = min((int(each.cycles.min()) for each in delays[1:] if len(each.cycles)), default=0)
    left_out = max(0, shortest // period - 2)
    delay = np.concatenate(
        [delays[0].cycles % period, *(each.cycles - left_out * period for each in delays[1:])]
    )
    # the first tasks, those that are shown, the delays, and the rest, which is so much further on
    begin = tasks + len(shown)
    rest = begin + len(delay) - behind
    numbers = np.split(
        np.arange(begin, begin + len(delay), dtype=np.int32),
        np.cumsum([len(each.cycles) for each in delays])[:-1],
    )
    targets = [np.arange(tasks, begin, dtype=np.int32), *(each.target + np.int32(rest) for each in into)]
    finishes, starts = [before[0]], [before[1]]
    for each, number, target in zip(delays, numbers, targets, strict=True):
        (starts if each.edges is graph.on_start else finishes).append(EdgeRows.of(each.like, number))
        finishes.append(EdgeRows.of(number, target))
    on_finish, on_start = joined(*finishes, after[0].further(rest)), joined(*starts, after[1].further(rest))
    last = graph.exit + rest
    _, sinks = ends(on_finish, on_start, last)

    folded = graph.chosen(
        # delays are made of exits, which are joins of no time
        np.concatenate(
            [np.arange(tasks), shown, np.full(len(delay), graph.exit), np.arange(behind, len(graph))]
        ),
        on_finish=sorted_edges(joined(on_finish, EdgeRows.of(sinks, np.full_like(sinks, last))), last + 1),
        on_start=sorted_edges(on_start, last + 1),
    )
    folded.resource[begin : begin + len(delay)] = len(graph.resources)
    folded.latency[begin : begin + len(delay)] = delay
    folded = replace(
        folded, resources=(*graph.resources, _ENDLESS), turns=np.append(graph.turns, np.int32(0))
    )
    begins = np.concatenate([each.begin for each in delays])
    shown_start = (begins + delay)[: len(shown)]
    all_starts = [start[:tasks], shown_start, begins, start[behind:] - left_out * period]
    return Folded(folded, np.concatenate(all_starts), slice(tasks, begin), left_out)


class _Delays(NamedTuple):
    """For how long tasks of layers that are left out are behind the same tasks of the first layer.

    Args: like: (delays,) the tasks of the first layer; edges: of the finish or of the start that is waited
        for; begin, cycles: (delays,) when that is, and how long from then on.
    """

    like: NDArray[np.int32]
    edges: Edges
    begin: NDArray[np.int64]
    cycles: NDArray[np.int64]

    @classmethod
    def of(cls, chain: Chain, start: NDArray[np.int64], delayed: NDArray[np.int32], edges: Edges) -> _Delays:
        """Those of some tasks."""
        begin, tasks = np.int32(chain.layers.begin(0)), np.int32(chain.layers.tasks)
        like = begin + (delayed - begin) % tasks
        lasts = chain.graph.latency[like] if edges is chain.graph.on_finish else 0
        return cls(like, edges, start[like] + lasts, start[delayed] - start[like])


def _shown(chain: Chain, tasks: int) -> NDArray[np.int32]:
    """The tasks of layers that are left out whose resources are used by what is kept."""
    resource, behind = chain.graph.resource, chain.layers.begin(chain.layers.copies)
    kept = used(chain.graph, slice(tasks)) | used(chain.graph, slice(behind, None))
    return np.flatnonzero(kept.take(resource[tasks:behind])).astype(np.int32) + np.int32(tasks)
