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
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim.graph_blocks import EdgeRows, Edges, ends, joined, sorted_edges
from archsim.sim.chain import Chain
from archsim.sim.engine import Engine
from archsim.sim.fast_engine import put_off
from archsim.sim.settle import TOLERANCE, remembered, settle_fastest
from archsim.sim.timetable import can_be_kept, crossings
from archsim.sim.warm import FirstLayers, continued, step, warm_loop
from archsim.task_graph import JOIN, Place, Resource, TaskGraph

_SLACK = TOLERANCE / 3
"""Of an interval, behind each task on what layers share."""

_PATIENCE = 12
"""Completions in which a state of a folded stream recurs; most take two or three."""

_TRIES = 2
"""Plans that are tried: that of the first layers alone, and that of the folded stream itself."""

_ENDLESS = Resource("rest", "rest", Place(), servers=2**30)
"""What delays wait for."""


class FoldedLoop(NamedTuple):
    """A folded closed loop that has settled at the least interval.

    Args: start: (tasks,) of an inference in the whole graph; completions: simulated; can_be_kept: whether
        it has settled as planned, and all layers can keep the plan.
    """

    start: NDArray[np.int64]
    completions: int
    can_be_kept: bool


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
    Returns: None where it does not settle at that interval.
    """
    period = math.ceil(interval_cycles)
    if period > interval_cycles * (1 + TOLERANCE):
        return None
    slack = math.ceil(_SLACK * period)
    completions = 0
    trusted = False
    for _ in range(_TRIES):
        planned = _planned(chain, first, alone, in_flight, period, slack)
        if planned is None:
            return None
        folded, inside = planned.folded, in_flight - planned.folded.left_out
        warm = warm_loop(folded.start, inside, interval_cycles)
        remember = remembered(folded.graph, interval_cycles)
        run = engine(folded.graph, in_flight=inside, keep=1, warm=warm, remember=remember)
        if settle_fastest(run, inside, interval_cycles, _PATIENCE) is None:
            return None
        completions += len(run.left)
        settled = first._replace(start=run.last_start()[: first.tasks])
        apart = (settled.start - first.start)[chain.layers.begin(0) :]
        steady = abs(run.left[-1] - run.left[-2] - period) <= 3 * slack
        as_planned = bool(np.ptp(apart) <= 3 * slack) and steady
        first = settled
        trusted = planned.can_be_kept and as_planned
        if trusted:
            break
    start = continued(chain.graph, first.start, alone)
    return FoldedLoop(start, completions, trusted)


class _Planned(NamedTuple):
    """A folded graph whose tasks start as planned, or later where that can be kept."""

    folded: Folded
    can_be_kept: bool


def _planned(
    chain: Chain, first: FirstLayers, alone: NDArray[np.int64], in_flight: int, period: int, slack: int
) -> _Planned | None:
    """The plan that the first layers show, in the folded graph.

    Returns: None where the folded graph would hold no inference, or cannot be planned.
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
    return _Planned(folded._replace(start=kept), True) if in_time else _Planned(folded, False)


def _plan(chain: Chain, first: FirstLayers, alone: NDArray[np.int64], slack: int) -> NDArray[np.int64]:
    """(tasks,) the schedule of the first layers with slack, repeated."""
    graph, layers = chain.graph, chain.layers
    begin, second, behind = layers.begin(0), layers.begin(1), layers.begin(layers.copies)
    own, further = (np.zeros(len(graph.resources) + 1, dtype=bool) for _ in range(2))
    own[graph.resource[:second]] = True
    further[graph.resource[first.tasks :]] = True
    start = first.start + slack * crossings(first.graph, (own & further)[:-1])[:-1]
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
    last_layer, behind, exit_ = layers.begin(layers.copies - 1), layers.begin(layers.copies), graph.exit
    used = np.zeros(len(graph.resources) + 1, dtype=bool)
    used[graph.resource[:tasks]] = used[graph.resource[behind:]] = True
    used[JOIN] = False
    shown = np.arange(tasks, behind, dtype=np.int32)[used[graph.resource[tasks:behind]]]
    both = graph.on_finish, graph.on_start
    before = [_between(edges, range(tasks), range(tasks)) for edges in both]
    into = [_between(edges, range(last_layer, behind), range(behind, exit_)) for edges in both]
    after = [_between(edges, range(behind, exit_), range(behind, exit_)) for edges in both]
    # what is left out and shown, after the start of the same task of the first layer; and what the rest waits
    # for, after its finish or its start
    delayed = [shown, into[0].source, into[1].source]
    like = [layers.begin(0) + (some - layers.begin(0)) % layers.tasks for some in delayed]
    cycles = [start[some] - start[same] for some, same in zip(delayed, like, strict=True)]
    shortest = min((int(some.min()) for some in cycles[1:] if len(some)), default=0)
    # two intervals are left, so that all that is shown is over when an inference leaves
    left_out = max(0, shortest // period - 2)
    cycles = [cycles[0] % period, *(some - left_out * period for some in cycles[1:])]
    ends_of = np.cumsum([tasks + len(shown), *map(len, delayed)])
    delays = [np.arange(begin, end, dtype=np.int32) for begin, end in pairwise(ends_of)]
    rest = int(ends_of[-1]) - behind
    last = exit_ + rest
    on_finish = joined(
        before[0],
        _edges(like[1], delays[1]),
        _edges(delays[0], np.arange(tasks, ends_of[0], dtype=np.int32)),
        _edges(delays[1], into[0].target + np.int32(rest)),
        _edges(delays[2], into[1].target + np.int32(rest)),
        after[0].further(rest),
    )
    on_start = joined(
        before[1], _edges(like[0], delays[0]), _edges(like[2], delays[2]), after[1].further(rest)
    )
    _, sinks = ends(on_finish, on_start, last)
    delay = np.concatenate(cycles)

    def column(values: NDArray[np.int32], of_delays: NDArray[np.int64] | int) -> NDArray[np.int32]:
        between = np.full(len(delay), of_delays, dtype=np.int32)
        return np.concatenate([values[:tasks], values[shown], between, values[behind:]])

    folded = replace(
        graph,
        resource=column(graph.resource, len(graph.resources)),
        turn=column(graph.turn, 0),
        occupancy=column(graph.occupancy, 0),
        latency=column(graph.latency, delay),
        operation=column(graph.operation, int(graph.operation[-1])),
        token=column(graph.token, -1),
        pu=column(graph.pu, -1),
        on_finish=sorted_edges(joined(on_finish, _edges(sinks, np.full_like(sinks, last))), last + 1),
        on_start=sorted_edges(on_start, last + 1),
        resources=(*graph.resources, _ENDLESS),
        turns=np.append(graph.turns, np.int32(0)),
        actions=(),
        alike=(),
    )
    waits = np.concatenate([start[like[0]], (start + graph.latency)[like[1]], start[like[2]]])
    starts = [start[:tasks], (waits + delay)[: len(shown)], waits, start[behind:] - left_out * period]
    return Folded(folded, np.concatenate(starts), slice(tasks, int(ends_of[0])), left_out)


def _between(edges: Edges, sources: range, targets: range) -> EdgeRows:
    """The edges from some tasks to others."""
    some = slice(int(edges.first[sources.start]), int(edges.first[sources.stop]))
    each = np.arange(sources.start, sources.stop, dtype=np.int32)
    source = np.repeat(each, np.diff(edges.first[sources.start : sources.stop + 1]))
    rows = EdgeRows(source, edges.target[some], edges.distance[some])
    return rows.part((rows.target >= targets.start) & (rows.target < targets.stop))


def _edges(source: NDArray[np.int32], target: NDArray[np.int32]) -> EdgeRows:
    """Edges within an inference."""
    return EdgeRows(source, target, np.zeros_like(target))
