"""The event engine against the rules as they are written, and what must hold for every schedule."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.errors import SimulationError
from archsim.sim.engine import Queues, stretches, used
from archsim.sim.event_engine import EventEngine, run_event
from archsim.task_graph import JOIN

IN_FLIGHT = st.none() | st.integers(1, 3)


def test_stretches_begin_where_values_change():
    assert stretches(np.array([3, 3, 1, 1, 1, 3])).tolist() == [0, 2, 5]
    assert stretches(np.array([7])).tolist() == [0]


@settings(max_examples=100)
@given(data=st.data())
def test_resources_are_used_by_the_tasks_that_have_them(data, random_graphs):
    graph = data.draw(random_graphs)
    begin = data.draw(st.integers(0, len(graph) - 1))
    some = slice(begin, data.draw(st.integers(begin + 1, len(graph))))
    resources = set(graph.resource[some].tolist()) - {JOIN}
    assert used(graph, some).tolist() == [
        resource in resources for resource in range(len(graph.resources) + 1)
    ]


@settings(max_examples=200)
@given(data=st.data(), inferences=st.integers(1, 5))
def test_queues_are_held_for_what_inferences_take_together(data, random_graphs, inferences):
    graph = data.draw(random_graphs)
    queues = Queues.of(graph)
    # after as many inferences as this, all copies have had the same turns
    inferences *= int(np.lcm.reduce(queues.copies))
    held = np.zeros(len(queues.resource))
    for number in range(inferences):
        queue = queues.dealt(number)
        np.add.at(held, queue[queue >= 0], graph.occupancy[queue >= 0])
    np.testing.assert_allclose(queues.busy_cycles() * queues.servers * inferences, held)


@settings(max_examples=400)
@given(data=st.data(), inferences=st.integers(1, 5), in_flight=IN_FLIGHT)
def test_the_engine_does_what_the_rounds_say(data, oracle, random_graphs, inferences, in_flight):
    graph = data.draw(random_graphs)
    run = run_event(graph, inferences, in_flight)
    start, finish = oracle(graph, inferences, in_flight)
    np.testing.assert_array_equal(run.start, start)
    np.testing.assert_array_equal(run.finish, finish)


@settings(max_examples=200)
@given(data=st.data(), inferences=st.integers(1, 3), in_flight=IN_FLIGHT)
def test_a_deadlock_is_an_error_exactly_when_the_rounds_stop(
    data, oracle, random_cyclic_graphs, inferences, in_flight
):
    graph = data.draw(random_cyclic_graphs)
    expected = oracle(graph, inferences, in_flight)
    if expected is None:
        with pytest.raises(SimulationError, match="wait for each other"):
            run_event(graph, inferences, in_flight)
    else:
        np.testing.assert_array_equal(run_event(graph, inferences, in_flight).start, expected[0])


@given(data=st.data(), inferences=st.integers(1, 4), in_flight=IN_FLIGHT)
def test_no_task_starts_before_its_predecessors_allow(data, waits, random_graphs, inferences, in_flight):
    graph = data.draw(random_graphs)
    run = run_event(graph, inferences, in_flight)
    for later, before in waits(graph, in_flight, inferences).items():
        for from_start, earlier in before:
            assert run.start[later] >= (run.start if from_start else run.finish)[earlier]


@given(data=st.data(), inferences=st.integers(1, 4), in_flight=IN_FLIGHT)
def test_a_queue_serves_no_more_tasks_at_once_than_it_has_servers(data, random_graphs, inferences, in_flight):
    graph = data.draw(random_graphs)
    run = run_event(graph, inferences, in_flight)
    held: dict[tuple[int, int, int], int] = {}
    for i in range(inferences):
        for t in np.flatnonzero(graph.resource != JOIN):
            r = graph.resource[t]
            copy = (graph.turn[t] + i * graph.turns[r]) % graph.resources[r].copies
            for cycle in range(run.start[i, t], run.start[i, t] + graph.occupancy[t]):
                held[r, copy, cycle] = held.get((r, copy, cycle), 0) + 1
    for (r, _, _), tasks in held.items():
        assert tasks <= graph.resources[r].servers
    busy = np.bincount(run.queues.resource, run.queues.busy_cycles, len(graph.resources))
    np.testing.assert_array_equal(busy, inferences * graph.busy_cycles())
    assert run.end >= run.finish.max()


@given(data=st.data(), inferences=st.integers(1, 4), in_flight=IN_FLIGHT)
def test_queues_are_first_come_first_served(data, waits, random_graphs, inferences, in_flight):
    graph = data.draw(random_graphs)
    run = run_event(graph, inferences, in_flight)
    arrived: dict[tuple[int, int], list[tuple[int, int]]] = {}
    waited = 0
    for (i, t), before in waits(graph, in_flight, inferences).items():
        r = int(graph.resource[t])
        if r == JOIN:
            continue
        ready = max((int((run.start if s else run.finish)[p]) for s, p in before), default=0)
        copy = int(graph.turn[t] + i * graph.turns[r]) % graph.resources[r].copies
        arrived.setdefault((r, copy), []).append((ready, int(run.start[i, t])))
        waited += int(run.start[i, t]) - ready
    for tasks in arrived.values():
        for ready, start in tasks:
            assert all(other_start >= start for other, other_start in tasks if other > ready)
    assert run.queues.waiting_cycles.sum() == waited


@given(data=st.data(), in_flight=st.integers(1, 3))
def test_a_run_that_is_interrupted_is_the_same_run(data, random_graphs, in_flight):
    graph = data.draw(random_graphs)
    engine = EventEngine(graph, in_flight=in_flight, inferences=6)
    for completions in range(1, 6):
        engine.advance(completions)
    engine.advance()
    run = run_event(graph, 6, in_flight)
    interrupted = engine.result()
    np.testing.assert_array_equal(interrupted.start, run.start)
    np.testing.assert_array_equal(interrupted.queues.waiting_cycles, run.queues.waiting_cycles)
    assert interrupted.end == run.end


@given(data=st.data(), in_flight=st.integers(1, 3))
def test_a_stream_begins_like_a_run_of_few_inferences(data, random_graphs, in_flight):
    # inferences that enter later have edges to none that entered earlier, but they share the servers:
    # only the inferences before the first admission are bound to be alike
    graph = data.draw(random_graphs)
    if not graph.latency.any() and not graph.occupancy.any():
        return
    engine = EventEngine(graph, in_flight=in_flight)
    engine.advance(1)
    run = run_event(graph, in_flight)
    stream = engine.result()
    assert stream.completed_cycles[0] == run.completed_cycles[0]
    first = stream.inferences[0]
    np.testing.assert_array_equal(stream.start[0], run.start[first])
