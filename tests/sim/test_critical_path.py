"""The critical path: hand-worked graphs, and what must hold for every run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.hardware.loader import load_hardware
from archsim.mapping.build import map_trace
from archsim.schedule.lower import lower
from archsim.sim.critical_path import CriticalPath, critical_path
from archsim.sim.engine import Queues
from archsim.sim.event_engine import EventEngine, run_event
from archsim.sim.fast_engine import run_fast
from archsim.task_graph import GraphBuilder, TaskGraph
from archsim.workload.trace import read_trace

ROOT = Path(__file__).parents[2]
ONE = np.zeros(1, dtype=np.int32)


def steps(graph: TaskGraph) -> list[tuple[str, int, int, bool]]:
    """(operation, token, cycles, waiting) of each step of a run alone that takes time."""
    path = critical_path(graph, run_event(graph).start[0])
    names = [graph.operations[number] for number in graph.operation[path.tasks]]
    rows = zip(
        names,
        graph.token[path.tasks].tolist(),
        path.cycles.tolist(),
        path.waiting.tolist(),
        strict=True,
    )
    return [row for row in rows if row[2]]


def test_tokens_that_queue_for_one_server() -> None:
    """Three tokens of occupancy 10 and latency 25: starts 0, 10, 20, and the last is there at 45."""
    builder = GraphBuilder()
    builder.begin_operation("mvm", None)
    builder.add(builder.resource("array", "analog"), 10, 25, np.arange(3))
    assert steps(builder.build()) == [("mvm", 0, 10, True), ("mvm", 1, 10, True), ("mvm", 2, 25, False)]


def test_copies_have_queues_of_their_own() -> None:
    """Dealt to two copies, tokens 0 and 1 start at 0, and token 2 waits for token 0."""
    builder = GraphBuilder()
    builder.begin_operation("mvm", None)
    builder.add(builder.resource("array", "analog", copies=2), 10, 25, np.arange(3))
    assert steps(builder.build()) == [("mvm", 0, 10, True), ("mvm", 2, 25, False)]


def test_of_several_servers_the_one_that_was_released_counts() -> None:
    """Two servers: token 0 until 10, token 1 until 7; token 2 takes over at 7, and has it until 12."""
    builder = GraphBuilder()
    builder.begin_operation("sum", None)
    busy = np.array([10, 7, 5])
    builder.add(builder.resource("sfu", "sfu", servers=2), busy, busy, np.arange(3))
    assert steps(builder.build()) == [("sum", 1, 7, True), ("sum", 2, 5, False)]


def test_a_bounded_buffer_costs_what_bounds_its_release() -> None:
    """A bus that takes 1 feeds an array that takes 10, through a buffer of one vector.

    Token 1 takes the bus when token 0 starts on the array, at 1, and is ready at 2, token 2 when token 1
    starts, at 11, and is ready at 12; starts on the array are 1, 11, 21, and the end is at 31.
    """
    builder = GraphBuilder()
    builder.begin_operation("move", None)
    moved = builder.add(builder.resource("bus", "bus"), 1, 1, np.arange(3))
    builder.begin_operation("mvm", None)
    begun = builder.add(builder.resource("array", "analog"), 10, 10, np.arange(3), [moved])
    builder.ring(begun, moved, 1, from_start=True)
    assert steps(builder.build()) == [
        ("move", 0, 1, False),
        ("mvm", 0, 10, True),
        ("mvm", 1, 10, True),
        ("mvm", 2, 10, False),
    ]


def test_a_start_that_releases_a_buffer_takes_no_cycles() -> None:
    """The array is free long before the next vector comes: the buffer's start-to-start edge bounds.

    ``take`` of token 1 may start when ``use`` of token 0 has, at 3; its result is there at 6.
    """
    builder = GraphBuilder()
    builder.begin_operation("take", None)
    taken = builder.add(builder.resource("a", "bus"), 1, 3, np.arange(2))
    builder.begin_operation("use", None)
    used = builder.add(builder.resource("b", "analog"), 1, 2, np.arange(2), [taken])
    builder.ring(used, taken, 1, from_start=True)
    assert steps(builder.build()) == [("take", 0, 3, False), ("take", 1, 3, False), ("use", 1, 2, False)]


def test_ties_go_to_the_predecessor_and_to_the_earlier_task() -> None:
    """Token 1 becomes ready at 5, in the cycle in which token 0 leaves the server; two tasks make it so."""
    builder = GraphBuilder()
    builder.begin_operation("first", None)
    first = builder.add(builder.resource("a", "bus"), 5, 5, ONE)
    builder.begin_operation("second", None)
    second = builder.add(builder.resource("b", "bus"), 5, 5, ONE)
    shared = builder.resource("array", "analog")
    builder.begin_operation("other", None)
    builder.add(shared, 5, 5, ONE)
    builder.begin_operation("last", None)
    builder.add(shared, 2, 2, ONE, [second, first])
    assert steps(builder.build()) == [("first", 0, 5, False), ("last", 0, 2, False)]


def test_an_inference_without_duration_has_a_path_without_cycles() -> None:
    path = critical_path(GraphBuilder().build(), np.zeros(2, dtype=np.int64))
    assert path.tasks.tolist() == [0, 1]
    assert path.total_cycles == 0


def test_a_start_that_others_decided_is_refused() -> None:
    """In a stream of two, the second inference waits for the first one's release."""
    builder = GraphBuilder()
    builder.add(builder.resource("array", "analog"), 10, 10, ONE)
    graph = builder.build()
    run = EventEngine(graph, inferences=2)
    run.advance(2)
    with pytest.raises(ValueError, match="nothing of the inference itself explains when task 1 started"):
        critical_path(graph, run.last_start())


def check(graph: TaskGraph, start: np.ndarray) -> CriticalPath:
    """Every cycle belongs to one task, and each task bound the next one's start as the module says."""
    path = critical_path(graph, start)
    assert path.tasks[0] == graph.entry
    assert path.tasks[-1] == graph.exit
    assert path.total_cycles == start[graph.exit]
    earlier, later = path.tasks[:-1], path.tasks[1:]
    queue, waiting, cycles = Queues.of(graph).dealt(0), path.waiting[:-1], path.cycles[:-1]
    # a holder: of the same queue, for its occupancy, which is not zero
    np.testing.assert_array_equal(queue[earlier[waiting]], queue[later[waiting]])
    np.testing.assert_array_equal(cycles[waiting], graph.occupancy[earlier[waiting]])
    assert (cycles[waiting] > 0).all()
    # a holder of the same operation, token and PU is the same work, and no waiting
    own = (graph.pu[later] >= 0) & (queue[earlier] == queue[later]) & (queue[later] >= 0)
    for tag in (graph.operation, graph.token, graph.pu):
        own &= tag[earlier] == tag[later]
    assert not (own & waiting).any()
    # a predecessor: its latency from a finish, nothing from a start
    free = ~waiting & ~own
    assert ((cycles[free] == graph.latency[earlier[free]]) | (cycles[free] == 0)).all()
    return path


def edges_inside(graph: TaskGraph) -> set[tuple[int, int, bool]]:
    """(source, target, from its start) of all edges within an inference."""
    found = set()
    for from_start, edges in ((False, graph.on_finish), (True, graph.on_start)):
        source = np.repeat(np.arange(len(graph)), np.diff(edges.first))
        inside = edges.distance == 0
        pairs = zip(source[inside].tolist(), edges.target[inside].tolist(), strict=True)
        found |= {(*pair, from_start) for pair in pairs}
    return found


def plain_path(graph: TaskGraph, start: np.ndarray) -> list[int]:
    """Step by step: a finish before a start, both before a holder, and of several the earliest."""
    edges, queue = edges_inside(graph), Queues.of(graph).dealt(0)
    finish, release = start + graph.latency, start + graph.occupancy
    path = [graph.exit]
    while path[-1] != graph.entry:
        task = path[-1]
        sources = [(source, from_start) for source, target, from_start in edges if target == task]
        finished = [each for each, from_start in sources if not from_start and finish[each] == start[task]]
        started = [each for each, from_start in sources if from_start and start[each] == start[task]]
        served = np.flatnonzero((queue == queue[task]) & (start < release) & (release == start[task]))
        path.append(min(finished or started or served.tolist()))
    return path[::-1]


@settings(max_examples=300)
@given(data=st.data())
def test_random_graphs(data, random_graphs):
    graph = data.draw(random_graphs)
    start = run_event(graph).start[0]
    path = check(graph, start)
    assert path.tasks.tolist() == plain_path(graph, start)
    edges = edges_inside(graph)
    for earlier, later, cycles, waiting in zip(
        path.tasks[:-1].tolist(),
        path.tasks[1:].tolist(),
        path.cycles.tolist(),
        path.waiting.tolist(),
        strict=False,
    ):
        by_finish = (earlier, later, False) in edges and cycles == graph.latency[earlier]
        by_start = (earlier, later, True) in edges and cycles == 0
        ready = max(
            int(start[source]) + (0 if from_start else int(graph.latency[source]))
            for source, target, from_start in edges
            if target == later
        )
        assert (by_finish or by_start) if not waiting else ready < start[later]


WORKLOADS = ["bert_base", "vit_base", "minilm", "gpt2_decode", "llama3_2_1b"]


@pytest.mark.parametrize("replication", ["ideal", "whole"])
@pytest.mark.parametrize("workload", WORKLOADS)
def test_every_cycle_of_a_workload_belongs_to_one_task(workload: str, replication: str) -> None:
    overrides = [f"mapping.replication={replication}", "system.chips=2"]
    machine = load_hardware(ROOT / "hwconfigs" / "hyflexpim.yaml", overrides)
    trace = read_trace(ROOT / "workloads" / f"{workload}.trace")
    graph = lower(machine, trace, map_trace(machine, trace))
    check(graph, run_fast(graph).start[0])
