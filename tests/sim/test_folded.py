"""Folded streams: what is kept of a graph, worked out by hand, and beside streams of the whole machine."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archsim.graph_blocks import Copy, Edges
from archsim.hardware.loader import load_hardware
from archsim.mapping.build import map_trace
from archsim.pipeline import simulate
from archsim.schedule.lower import lower
from archsim.sim import folded as folding
from archsim.sim import stream
from archsim.sim.chain import Chain, start_alone
from archsim.sim.engine import Engine
from archsim.sim.event_engine import EventEngine
from archsim.sim.fast_engine import FastEngine
from archsim.sim.folded import Folded, fold, folded_loop
from archsim.sim.stream import Stream, measure_stream
from archsim.sim.warm import first_layers
from archsim.task_graph import JOIN, Alike, GraphBuilder, Place, TaskGraph
from archsim.workload.trace import read_trace

ENGINES: list[type[Engine]] = [EventEngine, FastEngine]
both = pytest.mark.parametrize("engine", ENGINES)

Stage = tuple[str, int, int] | tuple[str, int, int, int]
"""Resource, occupancy, latency, servers; ``bus`` is shared by all layers."""

BUS = ("bus", 10, 15)


def layered(
    stages: Sequence[Stage],
    layers: int = 8,
    tokens: int = 1,
    end: int = 1,
    leave: str = "out",
    barrier: bool = False,
) -> TaskGraph:
    """A task of one cycle a token, equal layers, each on a PU, and a task of ``end`` cycles a token.

    Args: leave: where that task is; barrier: whether the tokens of a layer wait for each other at its end.
    """
    each = np.arange(tokens, dtype=np.int32)
    builder = GraphBuilder()
    done = builder.add(builder.resource("in", "p"), 1, 1, each)
    for number in range(3):
        begin = builder.mark()
        builder.begin_operation(f"l{number}.w", number)
        for name, occupancy, latency, *servers in stages:
            builder.place = Place(0) if name == "bus" else Place(0, number)
            resource = builder.resource(name, "p", servers=servers[0] if servers else 1)
            done = builder.add(resource, occupancy, latency, each, [done])
        if barrier:
            done = builder.join([np.broadcast_to(done, (tokens, tokens))], each)
    size = builder.size - begin.tasks

    def named(more: int) -> Callable[[str], str]:
        return lambda name: name.replace("l2.", f"l{2 + more}.")

    builder.repeat(begin, [Copy(more, more, named(more)) for more in range(1, layers - 2)])
    done = done + np.int32(size * (layers - 3))
    builder.begin_operation("out", None)
    builder.place = Place(0) if leave in ("out", "bus") else Place(0, layers - 1)
    builder.add(builder.resource(leave, "p"), end, end, each, [done])
    return builder.build()


def edges(some: Edges) -> list[tuple[int, int, int]]:
    """Source, target and distance of each."""
    source = np.repeat(np.arange(len(some.first) - 1), np.diff(some.first))
    return sorted(zip(source.tolist(), some.target.tolist(), some.distance.tolist(), strict=True))


def chain_of(graph: TaskGraph) -> Chain:
    chain = Chain.of(graph)
    assert chain is not None
    return chain


# What is kept, by hand.


@pytest.fixture
def hand() -> TaskGraph:
    """Entry 0, a task of a cycle, 8 layers of a transfer (1 cycle, there after 2) and a task (4, after 6).

    Alone a layer takes 8 cycles: its transfer starts at 1 + 8 n, its task at 3 + 8 n, what is behind at 65.
    Layer 0 leads to 7 equal layers, 4 5, 6 7 to 16 17; behind them are 18 and the exit, 19.
    """
    return layered([("bus", 1, 2), ("s", 4, 6)])


def test_alone_is_as_derived(hand: TaskGraph) -> None:
    start = start_alone(hand, FastEngine).tolist()
    assert start == [0, 0, *(cycle + 8 * n for n in range(8) for cycle in (1, 3)), 65, 66]
    assert chain_of(hand).layers == Alike(first=4, tasks=2, copies=7)


@pytest.fixture
def folded(hand: TaskGraph) -> Folded:
    """With the first two equal layers, tasks up to 7, every 10 cycles."""
    return fold(chain_of(hand), 8, start_alone(hand, FastEngine), 10)


def test_tasks_of_a_folded_graph(hand: TaskGraph, folded: Folded) -> None:
    # kept: 0 to 7; of 5 layers what is on the bus, 8 to 12; as many delays and one for what comes behind, 13
    # to 18; and that, 19 and 20
    graph = folded.graph
    assert (len(graph), graph.exit, folded.shown) == (21, 20, slice(8, 13))
    names = [graph.resources[number].name if number != JOIN else "" for number in graph.resource.tolist()]
    servers = itertools.chain.from_iterable(("chip0.bus", f"chip0.pu{n}.s") for n in range(3))
    assert names == ["", "chip0.in", *servers, *["chip0.bus"] * 5, *["rest"] * 6, "chip0.out", ""]
    assert graph.resources[:-1] == hand.resources
    assert graph.occupancy.tolist() == [0, 1, *[1, 4] * 3, *[1] * 5, *[0] * 6, 1, 0]
    assert (graph.actions, graph.alike) == ((), ())


def test_delays_of_a_folded_graph(folded: Folded) -> None:
    # Transfers of the layers left out start 16, 24, 32, 40 and 48 cycles after that of the first equal layer:
    # modulo 10 that is 6, 4, 2, 0 and 8. The last layer is 48 cycles behind the first, 4 intervals and 8
    # cycles, of which two intervals and 8 cycles are left: 28.
    assert folded.graph.latency.tolist() == [0, 1, *[2, 6] * 3, *[2] * 5, 6, 4, 2, 0, 8, 28, 1, 0]
    assert folded.left_out == 2


def test_edges_of_a_folded_graph(folded: Folded) -> None:
    # in a row up to 7; from the start of 4, the first equal layer's transfer, over delays to the transfers;
    # from the finish of 5, its task, over a delay to 19; to the exit from all that nothing waits for
    row = [(task, task + 1, 0) for task in range(7)]
    delays = [(delay, delay - 5, 0) for delay in range(13, 18)]
    behind = [(5, 18, 0), (18, 19, 0)]
    exits = [(task, 20, 0) for task in (7, *range(8, 13), 19)]
    assert edges(folded.graph.on_finish) == sorted([*row, *delays, *behind, *exits])
    assert edges(folded.graph.on_start) == [(4, delay, 0) for delay in range(13, 18)]


def test_starts_of_a_folded_graph(folded: Folded) -> None:
    # as in the whole graph; transfers 6, 4, 2, 0 and 8 cycles after 9; delays at 9, and at 11 + 6 = 17; what
    # is behind two intervals sooner than at 65 and 66
    first = [0, 0, 1, 3, 9, 11, 17, 19]
    assert folded.start.tolist() == [*first, 15, 13, 11, 9, 17, *[9] * 5, 17, 45, 46]


@both
def test_a_folded_inference_alone(engine: type[Engine], folded: Folded) -> None:
    # The transfers planned for 9 and 17 meet those of the first two equal layers, tasks 4 and 6. The first
    # one waits for the start of 4; the second one is ready in the same round as 6 and has a larger number.
    # Both are a cycle later. Nothing waits for them but the exit, at 45 + 1.
    run = engine(folded.graph, inferences=1)
    run.advance()
    first = [0, 0, 1, 3, 9, 11, 17, 19]
    assert run.last_start().tolist() == [*first, 15, 13, 11, 10, 18, *[9] * 5, 17, 45, 46]


def test_one_layer_may_be_enough(hand: TaskGraph) -> None:
    # the first equal layer alone, tasks up to 5: of 6 layers what is on the bus
    start = start_alone(hand, FastEngine)
    folded = fold(chain_of(hand), 6, start, 10)
    assert folded.shown == slice(6, 12)
    # 8, 16, ... 48 cycles after it, and 28 as before
    assert folded.graph.latency[12:19].tolist() == [8, 6, 4, 2, 0, 8, 28]
    assert folded.left_out == 2


def test_few_intervals_inside_are_not_left_out(hand: TaskGraph) -> None:
    # 48 cycles to the last layer are one interval of 30, and 3 of 16 of which one is left out
    start = start_alone(hand, FastEngine)
    for period, left_out, delay in ((30, 0, 48), (16, 1, 32)):
        folded = fold(chain_of(hand), 8, start, period)
        assert (folded.left_out, int(folded.graph.latency[18])) == (left_out, delay)
        assert folded.start[-2:].tolist() == [65 - left_out * period, 66 - left_out * period]


def test_what_comes_behind_meets_what_is_left_out() -> None:
    # the last task of all is on the server of the last layer, whose task is therefore shown: 48 cycles after
    # that of the first, task 5, which starts at 11
    graph = layered([("bus", 1, 2), ("s", 4, 6)], leave="s")
    folded = fold(chain_of(graph), 8, start_alone(graph, FastEngine), 10)
    assert folded.shown == slice(8, 14)
    assert folded.graph.resource[[13, 21]].tolist() == [graph.resource[17]] * 2
    assert folded.graph.latency[14:21].tolist() == [6, 4, 2, 0, 8, 8, 28]
    assert (5, 19, 0) in edges(folded.graph.on_start)
    assert int(folded.start[13]) == 11 + 8


def test_a_start_that_is_waited_for_behind_the_layers() -> None:
    # the last task of the whole graph, 18, waits for the start of the last layer's task, 17, as well
    graph = layered([("bus", 1, 2), ("s", 4, 6)])
    rows = [*edges(graph.on_start), (17, 18, 0)]
    first = np.searchsorted([source for source, _, _ in rows], np.arange(len(graph) + 1)).astype(np.int64)
    columns = [np.array([row[column] for row in rows], dtype=np.int32) for column in (1, 2)]
    graph = replace(graph, on_start=Edges(first, *columns))
    folded = fold(chain_of(graph), 8, start_alone(graph, FastEngine), 10)
    # after the start of 5, at 11, and after its finish, at 17: 28 cycles each
    assert folded.graph.latency[18:20].tolist() == [28, 28]
    assert folded.start[18:20].tolist() == [17, 11]
    assert (5, 19, 0) in edges(folded.graph.on_start)
    assert (19, 20, 0) in edges(folded.graph.on_finish)


# Streams.

FOLDED: dict[str, tuple[Callable[[], TaskGraph], int, int]] = {
    # alone 1 + 8 * (15 + 1000) + 1 = 8122 cycles: 10 every 900
    "one token": (lambda: layered([BUS, ("s", 900, 1000)]), 10, 900),
    # 1 + 8 * 1015 + 1: 9 every 1000
    "busy": (lambda: layered([BUS, ("s", 1000, 1000)]), 9, 1000),
    "tokens": (lambda: layered([BUS, ("a", 1000, 1200), ("b", 700, 2500)], tokens=4), 9, 4000),
    "barrier": (
        lambda: layered([BUS, ("a", 1000, 1200), ("b", 700, 2500)], tokens=4, barrier=True),
        14,
        4000,
    ),
    "two servers": (lambda: layered([BUS, ("a", 2000, 2200, 2), ("b", 700, 2500)], tokens=4), 11, 4000),
}
"""In flight, and every how many cycles."""


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Stream]:
    """Streams that are not folded."""

    def measure(graph: TaskGraph, engine: type[Engine] = FastEngine, in_flight: Any = "auto") -> Stream:
        with monkeypatch.context() as patch:
            patch.setattr(stream._Loops, "_folded", lambda *_: None)
            return measure_stream(graph, engine, in_flight, None)

    return measure


class Spied(FastEngine):
    """Notes the graphs of its closed loops, and how many are inside."""

    loops: list[tuple[TaskGraph, int]]

    def __init__(self, graph: TaskGraph, **options: Any) -> None:
        if options.get("in_flight") is not None:
            self.loops.append((graph, options["in_flight"]))
        super().__init__(graph, **options)


@pytest.fixture
def spied(monkeypatch: pytest.MonkeyPatch) -> type[Spied]:
    monkeypatch.setattr(Spied, "loops", [], raising=False)
    return Spied


def wholes(spied: type[Spied], graph: TaskGraph) -> list[bool]:
    """Of each loop, whether the whole graph is run in it."""
    return [some is graph for some, _ in spied.loops]


def long_run(graph: TaskGraph, in_flight: int) -> float:
    """The mean interval of the later half of a long run from an empty machine."""
    run = FastEngine(graph, in_flight=in_flight, keep=1)
    half = 3 * in_flight
    run.advance(2 * half)
    return (run.left[2 * half - 1] - run.left[half - 1]) / half


@pytest.mark.parametrize("name", FOLDED)
def test_a_folded_stream_is_that_of_the_whole_machine(
    name: str, spied: type[Spied], whole: Callable[..., Stream]
) -> None:
    make, in_flight, interval = FOLDED[name]
    graph = make()
    measured = measure_stream(graph, spied, "auto", None)
    assert wholes(spied, graph) == [False]
    assert spied.loops[0][1] < in_flight
    assert measured.completions <= 3
    assert measured.converged
    assert (measured.in_flight, measured.interval_cycles) == (in_flight, interval)
    assert long_run(graph, in_flight) == pytest.approx(interval, rel=1e-3)
    assert whole(graph).in_flight == in_flight
    # starts are those of all tasks, none before what it waits for
    for some, after in ((graph.on_finish, graph.latency), (graph.on_start, 0 * graph.latency)):
        source, target, distance = np.array(edges(some) or [(0, 0, 1)]).T
        ahead = distance * interval
        assert (measured.start[target] >= measured.start[source] + after[source] - ahead).all()
    np.testing.assert_array_equal(measured.finish, measured.start + graph.latency)


@pytest.mark.parametrize("name", FOLDED)
def test_both_engines_measure_the_same_folded_stream(name: str) -> None:
    make, in_flight, _ = FOLDED[name]
    one, other = (measure_stream(make(), engine, in_flight, None) for engine in ENGINES)
    np.testing.assert_array_equal(one.start, other.start)
    assert (one.in_flight, one.interval_cycles, one.completions, one.converged) == (
        other.in_flight,
        other.interval_cycles,
        other.completions,
        other.converged,
    )


def test_more_in_flight_than_needed_are_folded_too(spied: type[Spied]) -> None:
    make, in_flight, interval = FOLDED["one token"]
    graph = make()
    for more in (in_flight + 1, in_flight + 2):
        measured = measure_stream(graph, spied, more, None)
        assert (measured.in_flight, measured.interval_cycles) == (more, interval)
    assert wholes(spied, graph) == [False, False]
    # A layer takes 1015 cycles, and a cycle of slack behind its transfer. The last is 6 * 1016 = 6096 cycles
    # behind the first, 6 intervals and more, of which all but two are left out.
    assert [inside for _, inside in spied.loops] == [11 - 4, 12 - 4]


# Where folded streams are not trusted: the whole machine runs.


def test_too_few_in_flight_are_not_folded(spied: type[Spied], whole: Callable[..., Stream]) -> None:
    # 9 * 900 cycles and 0.1 % are less than 8122
    graph = FOLDED["one token"][0]()
    measured = measure_stream(graph, spied, 9, None)
    assert wholes(spied, graph) == [True]
    # each is inside for as long as one alone
    assert measured.interval_cycles == whole(graph, in_flight=9).interval_cycles
    assert measured.interval_cycles == pytest.approx(8122 / 9, rel=1e-3)


@pytest.mark.parametrize("bus", [105, 111, 112])
def test_a_shared_bus_that_is_nearly_full_is_not_folded(
    bus: int, spied: type[Spied], whole: Callable[..., Stream]
) -> None:
    # 8 * 105 = 840 and 8 * 112 = 896 of 900 cycles: 93 to 99.6 %
    graph = layered([("bus", bus, bus + 5), ("s", 900, 1000)])
    measured, other = measure_stream(graph, spied, "auto", None), whole(graph)
    assert wholes(spied, graph)[-1]
    assert spied.loops[-1][1] == measured.in_flight
    assert (measured.in_flight, measured.interval_cycles) == (other.in_flight, other.interval_cycles)
    assert measured.completions == other.completions
    np.testing.assert_array_equal(measured.start, other.start)


@pytest.mark.parametrize("bus", [60, 80])
def test_layers_that_cannot_keep_the_plan_are_simulated(
    bus: int, spied: type[Spied], whole: Callable[..., Stream]
) -> None:
    # on 53 % and 71 % of the bus, messages of eight layers a slack apart do not all find their place
    graph = layered([("bus", bus, bus + 5), ("s", 900, 1000)])
    measured = measure_stream(graph, spied, 10, None)
    assert wholes(spied, graph) == [True]
    assert measured.interval_cycles == whole(graph, in_flight=10).interval_cycles == 900
    assert long_run(graph, 10) == pytest.approx(900, rel=1e-3)


def test_layers_that_cannot_keep_a_plan_may_keep_one_with_more_slack(
    spied: type[Spied], monkeypatch: pytest.MonkeyPatch
) -> None:
    # the same on 44 % of it
    graph = layered([("bus", 50, 55), ("s", 900, 1000)])
    tried: list[tuple[int, bool]] = []
    kept = folding._kept

    def noted(*arguments: Any) -> Folded | None:
        plan = kept(*arguments)
        tried.append((arguments[-1], plan is not None))
        return plan

    monkeypatch.setattr(folding, "_kept", noted)
    measured = measure_stream(graph, spied, 10, None)
    # 0.1 % of 900 cycles, by three: 1 cycle
    assert tried[:3] == [(1, False), (2, False), (3, True)]
    assert not any(wholes(spied, graph))
    assert measured.interval_cycles == 900
    assert long_run(graph, 10) == pytest.approx(900, rel=1e-3)


def test_a_machine_that_needs_more_slack_than_there_is(spied: type[Spied]) -> None:
    # Alone 1 + 8 * 1015 + end. Ten in flight every 900 cycles have 9000 cycles: with end = 879 just as many
    # as one alone takes, with 880 one less, which the tolerance of 0.1 % lets pass, but no timetable keeps.
    for end, trusted in ((878, True), (879, True), (880, False)):
        spied.loops.clear()
        graph = layered([BUS, ("s", 900, 1000)], end=end)
        measured = measure_stream(graph, spied, 10, None)
        assert any(wholes(spied, graph)) is not trusted, end
        assert measured.interval_cycles == 900
        assert long_run(graph, 10) == pytest.approx(900, rel=1e-3)


def test_a_machine_that_does_not_follow_its_timetable_is_simulated(spied: type[Spied]) -> None:
    # Alone 1 + 8 * (35 + 400) + 1 = 3482 cycles, 12 of them every 300. The bus is held for 8 * 30 = 240 of
    # these, and a timetable can be kept; but first come first served takes 2 % longer, and the first layer
    # is not passed as planned.
    graph = layered([("bus", 30, 35), ("s", 300, 400)])
    assert long_run(graph, 12) > 300 * 1.01
    measure_stream(graph, spied, 12, None)
    assert wholes(spied, graph)[-1]


class Unasked(FastEngine):
    """Nobody is to run anything."""

    def __init__(self, graph: TaskGraph, **options: Any) -> None:
        raise AssertionError("this loop is not folded")


@pytest.mark.parametrize(("interval", "runs"), [(12.5, False), (999.5, True), (1000.0, True)])
def test_an_interval_that_a_period_of_whole_cycles_is_not_near(interval: float, runs: bool) -> None:
    # 13 is 4 % more than 12.5, 1000 is 0.05 % more than 999.5
    graph = FOLDED["busy"][0]()
    alone = start_alone(graph, FastEngine)
    first = first_layers(graph, FastEngine, 1000)
    assert first is not None
    if runs:
        with pytest.raises(AssertionError, match=r"^this loop is not folded$"):
            folded_loop(chain_of(graph), Unasked, first, alone, 10, interval)
    else:
        assert folded_loop(chain_of(graph), Unasked, first, alone, 1000, interval) is None


def test_a_stream_of_an_interval_of_a_few_cycles_is_not_folded(
    spied: type[Spied], whole: Callable[..., Stream]
) -> None:
    # two servers for 25 cycles: 12.5 at best, alone 1 + 8 * 30 + 1 = 242 cycles: 20 of them in flight
    graph = layered([("a", 25, 30, 2)])
    measured, other = measure_stream(graph, spied, "auto", None), whole(graph)
    assert all(wholes(spied, graph))
    assert (measured.in_flight, measured.interval_cycles) == (20, 12.5)
    assert (other.in_flight, other.interval_cycles) == (20, 12.5)


# A real machine.


@pytest.mark.parametrize("slc_rate", [0.05, 0.12, 0.3])
def test_bert_large_is_the_same_folded_and_whole(
    slc_rate: float, root: Path, whole: Callable[..., Stream], spied: type[Spied]
) -> None:
    machine = load_hardware(root / "hwconfigs/hyflexpim.yaml", overrides=[f"mapping.slc_rate={slc_rate}"])
    trace = read_trace(root / "workloads/bert_large.trace")
    graph = lower(machine, trace, map_trace(machine, trace))
    measured = measure_stream(graph, spied, "auto", None)
    assert wholes(spied, graph) == [False]
    other = whole(graph, spied)
    assert any(wholes(spied, graph))
    assert (measured.in_flight, measured.interval_cycles) == (other.in_flight, other.interval_cycles)


@pytest.mark.parametrize("slc_rate", [0.05, 0.12, 0.3])
def test_the_peak_power_of_bert_large_is_nearly_the_same(
    slc_rate: float, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = load_hardware(root / "hwconfigs/hyflexpim.yaml", overrides=[f"mapping.slc_rate={slc_rate}"])
    trace = read_trace(root / "workloads/bert_large.trace")
    folded = simulate(machine, trace, engine="fast")
    monkeypatch.setattr(stream._Loops, "_folded", lambda *_: None)
    other = simulate(machine, trace, engine="fast")
    assert folded.power_w["peak"] == pytest.approx(other.power_w["peak"], rel=0.02)
    # the mean is the same energy over the same interval
    assert folded.power_w["average"] == other.power_w["average"]
