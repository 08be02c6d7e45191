"""Runs that begin in a machine at work: states worked out by hand, and what the guess at one must be."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.graph_blocks import Copy
from archsim.hardware.loader import load_hardware
from archsim.mapping.build import map_trace
from archsim.schedule.lower import lower
from archsim.sim import fast_engine, stream
from archsim.sim.engine import NO_STATE, Queues, Warm
from archsim.sim.event_engine import EventEngine, run_event
from archsim.sim.fast_engine import FastEngine, run_fast
from archsim.sim.stream import measure_stream
from archsim.sim.warm import consistent, continued, first_layers, first_tasks, step, warm_loop
from archsim.task_graph import JOIN, Alike, GraphBuilder, Place
from archsim.workload.trace import read_trace

ONE = np.zeros(1, dtype=np.int32)
ENGINES = [EventEngine, FastEngine]
both = pytest.mark.parametrize("engine", ENGINES)


def chain(*stages):
    """Servers one after the other, each with one task of some occupancy and latency; also the builder."""
    builder, wires = GraphBuilder(), []
    for stage, (occupancy, latency) in enumerate(stages):
        server = builder.resource(f"s{stage}", "p")
        wires.append(builder.add(server, occupancy, latency, ONE, wires[-1:]))
    return builder, wires


def pipeline(*cycles):
    builder, _ = chain(*[(length, length) for length in cycles])
    return builder.build()


def warm(start, ages):
    return Warm(np.array(start, dtype=np.int64), np.array(ages, dtype=np.int64))


def alone(graph, engine=EventEngine):
    run = engine(graph, inferences=1)
    run.advance(1)
    return run.last_start()


# Both engines.


def begun(engine, graph, **options):
    """A run, or None where there is no such state."""
    try:
        return engine(graph, **options)
    except ValueError as error:
        assert str(error) == NO_STATE
        return None


@settings(max_examples=300)
@given(data=st.data(), admitted=st.integers(1, 3), in_flight=st.none() | st.integers(1, 4))
def test_both_engines_go_on_alike_from_any_state(data, random_graphs, admitted, in_flight):
    graph = data.draw(random_graphs)
    if not graph.busy_cycles().any():
        return  # a stream without end that takes no time
    # starts of an inference alone, or of one that others are in the way of
    start = data.draw(st.sampled_from(list(run_event(graph, admitted).start)))
    few = st.integers(1, 6)
    inferences = data.draw(few if in_flight is None else st.none() | few)
    first = min(count for count in (in_flight, inferences) if count is not None)
    # from before anything is done to the last cycle before an inference leaves
    age = st.integers(int(start.min()) - 2, int(start[-1]) - 1)
    ages = sorted(data.draw(st.lists(age, min_size=first, max_size=first)), reverse=True)
    options = {"in_flight": in_flight, "inferences": inferences, "warm": warm(start, ages)}
    event, fast = (begun(engine, graph, keep=1, remember=8, **options) for engine in ENGINES)
    assert (event is None) == (fast is None)
    if event is None or fast is None:
        return
    assert fast.glimpse().near(event.glimpse(), 0)
    for completions in range(1, 1 + (inferences or 8)):
        event.advance(completions)
        fast.advance(completions)
        assert list(fast.left) == list(event.left)
        assert fast.glimpse().near(event.glimpse(), 0)
        if (
            fast.left[-1] not in fast.left[:-1]
        ):  # engines differ in which of several that leave at once is last
            np.testing.assert_array_equal(fast.last_start(), event.last_start())
    if inferences is not None:
        runs = [engine(graph, **options) for engine in ENGINES]
        for run in runs:
            run.advance()
        one, other = (run.result() for run in runs)
        np.testing.assert_array_equal(one.start, other.start)
        np.testing.assert_array_equal(one.inferences, other.inferences)
        np.testing.assert_array_equal(one.completed_cycles, other.completed_cycles)
        assert one.end == other.end


@settings(max_examples=100)
@given(data=st.data(), in_flight=st.integers(1, 4))
def test_inferences_that_have_done_nothing_are_a_cold_start(data, random_graphs, in_flight):
    graph = data.draw(random_graphs)
    start = run_event(graph).start[0]
    state = warm(start, [-1] * in_flight)
    for engine in ENGINES:
        run = engine(graph, in_flight=in_flight, inferences=6, warm=state)
        cold = engine(graph, in_flight=in_flight, inferences=6)
        run.advance()
        cold.advance()
        # all but the entry, which is over before
        np.testing.assert_array_equal(run.result().start[:, 1:], cold.result().start[:, 1:])
        assert list(run.left) == list(cold.left)


# States by hand: settled starts, ages, cycles at which inferences leave.

STAGES = [0, 0, 4, 10, 12]
"""Stages of 2, 6 and 2 cycles with two inferences in flight, six cycles apart. The first takes 2, the second
is free two cycles later, at 4, and takes 6, the third takes 2: out at 12, when the next one enters."""


@both
@pytest.mark.parametrize(
    ("ages", "left"),
    [
        # the older one has a cycle to go in the third stage, the younger one five of six in the second
        ((11, 5), [1, 7, 13, 19, 25]),
        # the older one has just entered the third stage, the younger one just the second
        ((10, 4), [2, 8, 14, 20, 26]),
        # the younger one waits for the second stage, which the older one holds for one more cycle
        ((9, 3), [3, 9, 15, 21, 27]),
        # the younger one has just begun to wait for it
        ((8, 2), [4, 10, 16, 22, 28]),
        # the younger one is in the first stage for one more cycle, then waits for two
        ((7, 1), [5, 11, 17, 23, 29]),
    ],
)
def test_a_warm_run_goes_on_as_the_cold_one_has_settled(engine, ages, left):
    graph = pipeline(2, 6, 2)
    cold = engine(graph, in_flight=2, keep=1, remember=3)
    cold.advance(9)
    # a cold run has found STAGES: inferences stand six cycles behind each other
    assert (cold.last_start() - cold.last_start()[0]).tolist() == STAGES
    run = engine(graph, in_flight=2, keep=1, warm=warm(STAGES, ages), remember=3)
    glimpses = []
    for completions in range(1, 6):
        run.advance(completions)
        glimpses.append(run.glimpse())
        assert list(run.left) == left[:completions]
        entry, *rest = (run.last_start() - left[completions - 1] + 12).tolist()
        assert rest == STAGES[1:]
        # of those that were inside at cycle 0 the entry is over, nobody knows when
        assert entry == 0 if completions > 2 else entry < 0
    # its state recurs at once, and is that of the cold one
    assert all(glimpse.near(glimpses[0], 0) for glimpse in glimpses)
    assert glimpses[0].near(cold.glimpse(), 0)


@both
def test_schedules_of_those_inside_begin_before_cycle_0(engine):
    run = engine(pipeline(2, 6, 2), in_flight=2, inferences=3, warm=warm(STAGES, [11, 5]))
    run.advance()
    # 11 and 5 cycles before, and the third one enters when the first one leaves
    starts = run.result().start[:, 1:].tolist()
    assert starts == [[-11, -7, -1, 1], [-5, -1, 5, 7], [1, 5, 11, 13]]
    assert run.result().completed_cycles.tolist() == [1, 7, 13]


@both
def test_a_task_at_work_finishes_and_releases_when_each_is_due(engine):
    # A unit takes a task every 3 cycles, which is through after 7; the next one is held for 5, its result
    # there after 2. With two in flight, 5 cycles apart: the first begins at 0, is through at 7, waits for
    # the second until 8, out at 10. At ages 9 and 4 the older one's second task finishes in 8 + 2 - 9 = 1
    # cycle and holds its server for 8 + 5 - 9 = 4; the younger one's first has been released and finishes
    # in 7 - 4 = 3, then waits for the second server until 4 and is out at 6.
    graph = chain((3, 7), (5, 2))[0].build()
    run = engine(graph, in_flight=2, keep=1, warm=warm([0, 0, 8, 10], [9, 4]), remember=3)
    glimpse = run.glimpse()
    # the first unit twice, the second server for the older one; nobody has left, and entry and exit are joins
    assert glimpse.begun[:, 0].tolist() == [0, 2, 1, 0]
    assert glimpse.starts[1, :2].tolist() == [-4, -9]
    assert glimpse.starts[2, 0] == -1
    glimpses = []
    for completions in range(1, 5):
        run.advance(completions)
        glimpses.append(run.glimpse())
    assert list(run.left) == [1, 6, 11, 16]
    assert glimpses[1].near(glimpses[0], 0)
    cold = engine(graph, in_flight=2, keep=1, remember=3)
    cold.advance(9)
    assert cold.left[-1] - cold.left[-2] == 5
    assert glimpses[0].near(cold.glimpse(), 0)


@both
def test_a_finish_may_come_after_the_release_of_the_same_task(engine):
    # held for 3 cycles, through after 7: at age 1 released in 2 and finished in 6; the next one enters then
    graph = chain((3, 7))[0].build()
    run = engine(graph, in_flight=1, keep=1, warm=warm([0, 0, 7], [1]))
    run.advance(2)
    assert list(run.left) == [6, 13]


def linked(distance, *, from_start=False):
    """Two stages of 2 and 3 cycles; the second one waits for the first one of an inference before."""
    builder, (a, b) = chain((2, 2), (3, 3))
    builder.edge(a, b, from_start=from_start, distance=distance)
    return builder.build()


@both
@pytest.mark.parametrize("from_start", [False, True])
def test_an_inference_that_has_not_entered_knows_what_has_happened_before(engine, from_start):
    # alone: a from 0 to 2, b from 2 to 5. At age 3 the start and the finish of a are over, for which the
    # next inference's b waits: it enters when this one leaves, at 2, and leaves 5 cycles later
    graph = linked(1, from_start=from_start)
    run = engine(graph, in_flight=1, inferences=4, warm=warm([0, 0, 2, 5], [3]))
    run.advance()
    assert list(run.left) == [2, 7, 12, 17]


@both
@pytest.mark.parametrize("from_start", [False, True])
def test_an_inference_that_has_not_entered_waits_for_what_has_not_happened(engine, from_start):
    # Two are inside, and the third waits for the second's a, which at age -1 has not begun. The first one, of
    # age 4, ends its b at 1 and lets the third one in. The second's a runs from 0 to 2 and its b from 2 to
    # 5; the third's a from 2 to 4, its b from 5 to 8.
    graph = linked(1, from_start=from_start)
    run = engine(graph, in_flight=2, inferences=3, warm=warm([0, 0, 2, 5], [4, -1]))
    run.advance()
    assert list(run.left) == [1, 5, 8]


@both
def test_an_inference_inside_knows_what_has_happened_two_before(engine):
    # Three inside, 3 cycles apart; b waits for a of two inferences before, which is long over. Ages 4, 1
    # and -2: the first's b ends at 1; the second's a at 1, b from 1 to 4; the third's a begins at 0 but for
    # the second's, which holds the server to 1: from 1 to 3, its b from 4 to 7
    run = engine(linked(2), in_flight=3, inferences=3, warm=warm([0, 0, 2, 5], [4, 1, -2]))
    run.advance()
    assert list(run.left) == [1, 4, 7]


@both
def test_an_inference_inside_waits_for_what_has_not_happened_before_it(engine):
    # b waits for the b of the inference before: held back by an edge, and not by its server, which serves 2
    builder = GraphBuilder()
    a = builder.add(builder.resource("a", "p"), 2, 2, ONE)
    b = builder.add(builder.resource("b", "p", servers=2), 3, 7, ONE, [a])
    builder.edge(b, b, distance=1)
    # alone: a from 0, b from 2 to 9; inferences 7 apart. At age 8 the first's b has one cycle to go; the
    # second, 2 cycles old, is through a and waits for that: its b is from 1 to 8
    run = engine(builder.build(), in_flight=2, inferences=2, warm=warm([0, 0, 2, 9], [8, 1]))
    run.advance()
    assert list(run.left) == [1, 8]


@both
def test_a_server_that_holds_too_many_serves_none_until_all_are_gone(engine):
    # one server, 5 cycles; at ages 3 and 1 both have begun: releases at 2 and at 4. The third one enters at
    # 2, when one of two has gone, and starts at 4; the fourth enters at 4 and starts when it ends, at 9
    run = engine(pipeline(5), in_flight=2, inferences=4, warm=warm([0, 0, 5], [3, 1]))
    run.advance()
    assert list(run.left) == [2, 4, 9, 14]
    assert run.result().start[:, 1].tolist() == [-3, -1, 4, 9]


@both
def test_two_servers_that_hold_three_serve_again_when_one_is_free(engine):
    # two servers, 5 cycles; at ages 4, 3 and 1 three have begun: releases at 1, 2 and 4. The fourth one
    # enters at 1, when two are held, and starts at 2; the fifth enters at 2 and starts at 4
    builder = GraphBuilder()
    builder.add(builder.resource("s", "p", servers=2), 5, 5, ONE)
    run = engine(builder.build(), in_flight=3, inferences=5, warm=warm([0, 0, 5], [4, 3, 1]))
    run.advance()
    assert list(run.left) == [1, 2, 4, 7, 9]


@both
def test_inferences_go_on_with_the_copies_that_they_are_dealt(engine):
    # Inferences alternate between two copies, 6 cycles each. At ages 4 and 1 they hold one each, to 2 and
    # 5; the third one takes the first's copy at 2, the fourth the second's at 5.
    builder = GraphBuilder()
    builder.add(builder.resource("s", "p", copies=2), 6, 6, ONE)
    run = engine(builder.build(), in_flight=2, inferences=4, warm=warm([0, 0, 6], [4, 1]))
    run.advance()
    assert list(run.left) == [2, 5, 8, 11]


@both
def test_what_waits_for_a_server_is_served_in_the_order_in_which_it_came_to_be_ready(engine):
    # One server takes h for 6 cycles, q after a task of 5 cycles, and r after one of 1 cycle: r is ready at
    # 1 and starts at 6, q is ready at 5 and starts at 9. At age 5 h has one cycle to go; r was first,
    # although q, ready in this very cycle, stands before it in the graph.
    builder = GraphBuilder()
    server = builder.resource("s", "p")
    builder.add(server, 6, 6, ONE)
    q = builder.add(server, 3, 3, ONE, [builder.add(builder.resource("a", "p"), 5, 5, ONE)])
    r = builder.add(server, 3, 3, ONE, [builder.add(builder.resource("b", "p"), 1, 1, ONE)])
    graph = builder.build()
    start = alone(graph, engine)
    assert start[[*q, *r, graph.exit]].tolist() == [9, 6, 12]
    run = engine(graph, in_flight=1, inferences=1, warm=warm(start, [5]))
    run.advance()
    assert run.result().start[0, [*q, *r, graph.exit]].tolist() == [4, 1, 7]


@both
def test_the_entry_is_over_before_anything_else_that_a_queue_may_wait_for(engine):
    # One server takes h for 4 cycles, then r, which waits for nothing but to enter, then q, after a task of
    # 0 cycles that starts at 1. At age 2 both wait, r for longer, although q stands before it.
    builder = GraphBuilder()
    server = builder.resource("s", "p")
    builder.add(server, 4, 4, ONE)
    q = builder.add(server, 3, 3, ONE, [builder.add(builder.resource("a", "p"), 0, 0, ONE)])
    r = builder.add(server, 3, 3, ONE)
    graph = builder.build()
    run = engine(graph, in_flight=1, inferences=1, warm=warm([0, 0, 1, 7, 4, 10], [2]))
    run.advance()
    assert run.result().start[0, [*q, *r, graph.exit]].tolist() == [5, 2, 8]


@both
def test_joins_pass_at_cycle_0_and_before(engine):
    # a of 2 and b of 4 cycles side by side, then a join, then c of 3. At age 4, b ends in this very cycle:
    # the join has passed, c is ready, and starts at 0. At age 3 the join passes at 1.
    builder = GraphBuilder()
    a = builder.add(builder.resource("a", "p"), 2, 2, ONE)
    b = builder.add(builder.resource("b", "p"), 4, 4, ONE)
    join = builder.join([a, b], ONE)
    builder.add(builder.resource("c", "p"), 3, 3, ONE, [join])
    graph = builder.build()
    for start, age, left in (
        ([0, 0, 0, 4, 5, 8], 4, 3),
        ([0, 0, 0, 5, 5, 8], 4, 3),
        ([0, 0, 0, 4, 4, 7], 3, 4),
    ):
        run = engine(graph, in_flight=1, inferences=1, warm=warm(start, [age]))
        run.advance()
        assert list(run.left) == [left]


# What is no state.


@both
@pytest.mark.parametrize(
    ("count", "options"), [(1, {"in_flight": 2}), (3, {"in_flight": 5, "inferences": 2})]
)
def test_a_state_of_more_or_fewer_inferences_is_an_error(engine, count, options):
    with pytest.raises(ValueError, match=f"^2 inferences are inside, not {count}$"):
        engine(pipeline(2, 6, 2), warm=warm(STAGES, [5] * count), **options)


def test_starts_of_a_state_are_left_as_they_are_but_for_the_entry():
    state = warm([7, 2, 3], [1, -4])
    start, ages = state.of(2)
    # over before the first start, 2, and before the youngest has come, at age -4
    assert start.tolist() == [-5, 2, 3]
    assert ages.tolist() == [1, -4]
    assert state.start.tolist() == [7, 2, 3]


@both
@pytest.mark.parametrize("from_start", [False, True])
def test_a_task_that_has_begun_too_early_is_an_error(engine, from_start):
    # a from 1 to 4; b waits for its start or for its finish, and has begun at 0 or at 3
    builder = GraphBuilder()
    a = builder.add(builder.resource("a", "p"), 3, 3, ONE)
    b = builder.add(builder.resource("b", "p"), 3, 3, ONE)
    builder.edge(a, b, from_start=from_start)
    graph = builder.build()
    early, due = (0, 1) if from_start else (3, 4)
    with pytest.raises(ValueError, match=f"^{NO_STATE}$"):
        engine(graph, in_flight=1, warm=warm([0, 1, early, 9], [early]))
    engine(graph, in_flight=1, warm=warm([0, 1, due, 9], [due]))


@both
@pytest.mark.parametrize("from_start", [False, True])
def test_a_task_that_has_begun_before_what_an_earlier_inference_does_is_an_error(engine, from_start):
    # a from 1 to 4; a waits for the a before it. The second's has begun: at age 1, or later; the first's
    # has ended at age 4, or begun at age 1
    builder = GraphBuilder()
    a = builder.add(builder.resource("a", "p", servers=9), 3, 3, ONE)
    builder.add(builder.resource("b", "p"), 3, 3, ONE, [a])
    builder.edge(a, a, from_start=from_start, distance=1)
    graph = builder.build()
    for ages, allowed in (
        ([3, 1], from_start),
        ([4, 1], True),
        ([3, 0], True),
        ([2, 2], from_start),
    ):
        state = warm([0, 1, 4, 7], ages)
        if allowed:
            engine(graph, in_flight=2, warm=state)
        else:
            with pytest.raises(ValueError, match=f"^{NO_STATE}$"):
                engine(graph, in_flight=2, warm=state)


def test_a_loop_of_a_guess_stands_an_interval_behind_each_other():
    # the first one leaves in the next cycle: its exit is at 12
    state = warm_loop(np.array(STAGES), 4, 2.5)
    # behind it by 0, 2.5, 5 and 7.5 cycles, whole ones
    assert state.age_cycles.tolist() == [11, 9, 6, 4]
    assert state.start.tolist() == STAGES


# Equal layers.


def add_layer(builder, number, done, stages, tokens, ring=0, barrier=False, extra=()):
    """One layer: for each stage its resource, occupancy, latency and copies; ``extra`` are like it."""
    builder.begin_operation(f"l{number}.w", number)
    builder.place = Place(0, number)
    wires = [done]
    for name, occupancy, latency, copies in stages:
        resource = builder.resource(name, "p", copies=copies)
        wires.append(builder.add(resource, occupancy, latency, tokens, wires[-1:]))
    for name in extra:
        builder.add(builder.resource(name, "p"), 1, 1, tokens, wires[-1:])
    if ring:
        builder.ring(wires[-1], wires[1], ring)
    if barrier:
        every = np.broadcast_to(wires[-1], (len(tokens), len(tokens)))
        wires.append(builder.join([every], tokens))
    return wires[-1]


def layered(stages, layers=8, tokens=1, end=1, back=(), **options):
    """A task of one cycle a token, equal layers, and a task of ``end`` cycles a token.

    Args: back: edges, as from which to which task counted from the first one of the layers.
    """
    each = np.arange(tokens, dtype=np.int32)
    builder = GraphBuilder()
    done = builder.add(builder.resource("in", "p"), 1, 1, each)
    for number in range(min(layers, 3)):
        begin = builder.mark()
        done = add_layer(builder, number, done, stages, each, **options)
    size = builder.size - begin.tasks
    if layers > 3:
        copies = [
            Copy(more, more, lambda name, more=more: name.replace("l2.", f"l{2 + more}."))
            for more in range(1, layers - 2)
        ]
        builder.repeat(begin, copies)
        done = done + np.int32(size * (layers - 3))
    builder.begin_operation("out", None)
    builder.place = Place(0)
    builder.add(builder.resource("out", "p"), end, end, each, [done])
    for source, target, kind in back:
        ends = [np.array([1 + tokens + task], dtype=np.int32) for task in (source, target)]
        builder.edge(*ends, **kind)
    return builder.build()


SHARED = [("s", 1, 1, 1), ("s", 4, 6, 1)]
"""Both tasks of a layer on one server: of one cycle, and of four with the result after six. An inference
holds it for 5 cycles and takes 7 through a layer. What stands 5 cycles behind finds it free again and again:
nobody waits, and all are as fast as one alone."""

BLOCKED = [("s", 5, 5, 1), ("s", 5, 5, 1)]
"""Both tasks of each token on one server; the layer's tokens wait for each other at its end."""

GRAPHS = {
    "shared": lambda: layered(SHARED),
    "barrier": lambda: layered(BLOCKED, tokens=3, ring=7, barrier=True),
    "copies": lambda: layered([("a", 3, 4, 1), ("b", 9, 11, 2), ("c", 4, 4, 1)]),
    "ring": lambda: layered([("a", 3, 4, 1), ("b", 2, 7, 1), ("c", 4, 4, 1)], tokens=2, ring=5),
}


def guessed(graph, engine=FastEngine):
    interval = Queues.of(graph).bound_cycles()
    first = first_layers(graph, engine, interval)
    if first is None:
        return None
    return consistent(graph, continued(graph, first.start, alone(graph, engine)), interval)


def test_layers_that_are_repeated_are_known_to_be_equal():
    # the first layer waits for what comes before, tasks 2 and 3; of 8 layers 7 are equal, of two tasks each
    graph = layered(SHARED)
    assert graph.alike == (Alike(first=4, tasks=2, copies=7),)
    assert [graph.alike[0].begin(number) for number in (0, 1, 7)] == [4, 6, 18]
    # behind the last one, the task at the end and the exit
    assert len(graph) == 20


@pytest.mark.parametrize("name", GRAPHS)
def test_a_guess_starts_no_task_before_what_it_waits_for(name):
    graph = GRAPHS[name]()
    interval = Queues.of(graph).bound_cycles()
    start = guessed(graph)
    assert start is not None
    for edges, lasts in ((graph.on_finish, graph.latency), (graph.on_start, 0 * graph.latency)):
        for source in range(len(graph)):
            for edge in range(edges.first[source], edges.first[source + 1]):
                # a source of an inference that is so many intervals ahead happens so much earlier
                ahead = int(edges.distance[edge] * interval // 1)
                assert start[edges.target[edge]] >= start[source] + lasts[source] - ahead
    # so that it is a state of the machine, however many are inside
    for in_flight in (1, 4, 40):
        for engine in ENGINES:
            engine(graph, in_flight=in_flight, keep=1, warm=warm_loop(start, in_flight, interval))


@pytest.mark.parametrize("name", GRAPHS)
@both
def test_a_guess_does_not_depend_on_the_engine(engine, name):
    graph = GRAPHS[name]()
    np.testing.assert_array_equal(guessed(graph, engine), guessed(graph))


def test_layers_of_a_guess_are_one_step_apart():
    graph = layered(SHARED)
    start = guessed(graph)
    (alike,) = graph.alike
    layers = start[alike.begin(1) : alike.begin(7)].reshape(6, 2)
    # one cycle and then six
    assert (np.diff(layers, axis=0) == 7).all()
    # and what comes behind them a layer later than the last one begins
    assert start[alike.begin(7)] == layers[-1, 0] + 7
    assert start[graph.exit] == layers[-1, 0] + 8


def twice():
    """A server, and the same once more."""
    builder = GraphBuilder()
    begin = builder.mark()
    builder.begin_operation("l0.w", 0)
    builder.place = Place(0, 0)
    builder.add(builder.resource("a", "p"), 2, 2, ONE)
    builder.repeat(begin, [Copy(1, 1, lambda name: name.replace("l0.", "l1."))])
    return builder.build()


NO_GUESS = {
    "no equal layers": lambda: pipeline(2, 6, 2),
    "no repeated layers": lambda: layered(SHARED, layers=3),
    "too few": lambda: twice(),
    # from a task of the layer behind the first two equal ones to the last task of the first of these
    "an edge back": lambda: layered(SHARED, extra=["x"], back=[(9, 5, {})]),
    "an edge back from a start": lambda: layered(SHARED, extra=["x"], back=[(9, 5, {"from_start": True})]),
    # what is behind the layers holds its server for 50 cycles, and they are passed every 5 or so
    "slow end": lambda: layered(SHARED, end=50),
    # three tokens to two copies: one inference is done after 20 cycles, the next one 10 later
    "uneven copies": lambda: layered([("a", 10, 10, 2)], tokens=3),
}


@pytest.mark.parametrize("name", NO_GUESS)
@both
def test_there_is_no_guess_where_the_first_layers_do_not_show_the_others(engine, name):
    graph = NO_GUESS[name]()
    assert guessed(graph, engine) is None
    # and the stream is measured all the same
    assert measure_stream(graph, engine, 2, None).converged


def neighbours():
    """Layers of a task on the bus of the layer before, one on a server, and one on their own bus."""
    builder = GraphBuilder()
    done = builder.add(builder.resource("l0.bus", "p"), 1, 1, ONE)
    for number in range(1, 4):
        begin = builder.mark()
        builder.begin_operation(f"l{number}.w", number)
        builder.place = Place(0)
        sent = builder.add(builder.resource(f"l{number - 1}.bus", "p"), 1, 2, ONE, [done])
        work = builder.add(builder.resource(f"l{number}.server", "p"), 8, 9, ONE, [sent])
        done = builder.add(builder.resource(f"l{number}.bus", "p"), 1, 2, ONE, [work])

    def name(more):
        return lambda old: re.sub(r"l(\d+)\.", lambda found: f"l{int(found[1]) + more}.", old)

    builder.repeat(begin, [Copy(0, more, name(more)) for more in range(1, 6)])
    return builder.build()


def test_of_the_second_layer_only_what_shares_servers_with_the_first_is_kept():
    # entry, the task before, then layers of 3 tasks: the first task of each uses the bus of the layer before
    graph = neighbours()
    (alike,) = graph.alike
    first = first_layers(graph, FastEngine, 8)
    assert first is not None
    assert (first.tasks, len(first.graph)) == (alike.begin(1) + 1, alike.begin(1) + 2)
    # the server is held for 8 cycles; a layer takes 2 + 9 + 2 = 13
    assert step(alike, first.start) == 13
    start = continued(graph, first.start, alone(graph))
    layers = start[alike.begin(0) : alike.begin(alike.copies)].reshape(alike.copies, 3)
    assert (np.diff(layers, axis=0) == 13).all()


def test_all_of_the_second_layer_is_kept_where_nothing_is_shared_with_the_first_alone():
    # both layers use the server that all use
    graph = layered(SHARED)
    first = first_layers(graph, FastEngine, 5)
    assert first is not None
    assert first.tasks == graph.alike[0].begin(2)


def test_there_is_a_guess_next_to_where_there_is_none():
    # of four layers three are equal
    assert guessed(layered(SHARED, layers=4)) is not None
    # edges from the second of the first equal layers, or to it, or to later inferences: the tasks of each
    # are three, the last of which nothing waits for
    for back in [(6, 5, {}), (9, 8, {}), (9, 5, {"distance": 1})]:
        assert guessed(layered(SHARED, extra=["x"], back=[back])) is not None, back


# Streams.


@pytest.fixture
def unfolded(monkeypatch):
    """Streams of whole graphs, see test_folded for the others."""
    monkeypatch.setattr(stream._Loops, "_folded", lambda *_: None)


@pytest.fixture
def cold(monkeypatch):
    """What a stream is without a guess."""

    def measure(graph, engine=FastEngine, in_flight="auto"):
        with monkeypatch.context() as patch:
            patch.setattr(stream._Loops, "_folded", lambda *_: None)
            patch.setattr(stream._Loops, "_guess", lambda *_: None)
            return measure_stream(graph, engine, in_flight, None)

    return measure


@pytest.mark.usefixtures("unfolded")
@both
def test_a_stream_of_equal_layers_settles_sooner_from_a_guess(engine, cold):
    # Alone 1 + 8 * 7 + 1 = 58 cycles, every 5 at best: ceil(58 / 5) = 12 in flight. From an empty machine
    # their short tasks come in a row first, and layer after layer straightens them out.
    graph = layered(SHARED)
    filled, begun = cold(graph, engine), measure_stream(graph, engine, "auto", None)
    assert (begun.in_flight, begun.interval_cycles) == (filled.in_flight, filled.interval_cycles) == (12, 5)
    assert begun.converged
    assert begun.completions < filled.completions


@pytest.mark.usefixtures("unfolded")
@pytest.mark.parametrize("name", GRAPHS)
def test_streams_from_a_guess_have_the_interval_of_those_from_an_empty_machine(name, cold):
    graph = GRAPHS[name]()
    filled, begun = cold(graph), measure_stream(graph, FastEngine, "auto", None)
    assert begun.interval_cycles == filled.interval_cycles == Queues.of(graph).bound_cycles()
    assert begun.in_flight == filled.in_flight


@pytest.mark.usefixtures("unfolded")
@pytest.mark.parametrize("name", [*GRAPHS, *NO_GUESS])
def test_both_engines_measure_the_same_stream_from_a_guess(name):
    graph = {**GRAPHS, **NO_GUESS}[name]()
    one, other = (measure_stream(graph, engine, "auto", None) for engine in ENGINES)
    np.testing.assert_array_equal(one.start, other.start)
    np.testing.assert_array_equal(one.finish, other.finish)
    assert (one.in_flight, one.interval_cycles, one.completions, one.converged, one.searched) == (
        other.in_flight,
        other.interval_cycles,
        other.completions,
        other.converged,
        other.searched,
    )


class Spied(FastEngine):
    """Notes how many are inside where each of its runs begins, 0 for an empty machine."""

    begun: list[int]

    def __init__(self, graph, **options):
        state = options.get("warm")
        self.begun.append(0 if state is None else len(state.age_cycles))
        super().__init__(graph, **options)


@pytest.fixture
def spied(monkeypatch):
    monkeypatch.setattr(Spied, "begun", [], raising=False)
    return Spied


@pytest.mark.usefixtures("unfolded")
def test_loops_that_cannot_be_the_fastest_begin_in_an_empty_machine(spied):
    # 11 * 5 < 58 cycles inside
    measure_stream(layered(SHARED), spied, 11, None)
    assert spied.begun == [0, 0]  # alone, and the loop
    spied.begun.clear()
    measure_stream(layered(SHARED), spied, 12, None)
    assert spied.begun == [0, 0, 12]  # alone, the first layers, and the loop


def late(graph):
    """As if the last layer took 1000 cycles: nearly all inferences stand in front of it or in it."""
    start = alone(graph)
    start[graph.alike[0].begin(6) :] += 1000
    return start


def slow(graph):
    """As if everything took three times as long."""
    return 3 * alone(graph)


@pytest.mark.usefixtures("unfolded")
@both
@pytest.mark.parametrize("wrong", [late, slow])
@pytest.mark.parametrize("in_flight", [12, 20])
def test_a_wrong_guess_does_no_harm(engine, wrong, in_flight, monkeypatch):
    graph = layered(SHARED)
    start = wrong(graph)
    monkeypatch.setattr(stream._Loops, "_guess", lambda *_: start.copy())
    measured = measure_stream(graph, engine, in_flight, None)
    assert (measured.interval_cycles, measured.converged) == (5, True)
    assert measure_stream(graph, engine, "auto", None).in_flight == 12


@pytest.mark.usefixtures("unfolded")
def test_a_wrong_guess_that_does_not_settle_gives_the_stream_from_an_empty_machine(monkeypatch, cold, spied):
    graph = layered(SHARED)
    start = late(graph)
    monkeypatch.setattr(stream._Loops, "_guess", lambda *_: start.copy())
    measured, filled = measure_stream(graph, spied, 12, None), cold(graph, in_flight=12)
    # from the guess, and anew
    assert spied.begun == [12, 0]
    assert measured.completions == filled.completions
    np.testing.assert_array_equal(measured.start, filled.start)


@pytest.mark.usefixtures("unfolded")
def test_alone_is_a_guess_that_need_not_be_right(monkeypatch, cold):
    # two tokens, three stages of 3, 2 and 4 cycles: in a stream tokens wait, alone they do not
    graph = GRAPHS["ring"]()
    start = alone(graph)
    monkeypatch.setattr(stream._Loops, "_guess", lambda *_: start.copy())
    measured = measure_stream(graph, FastEngine, "auto", None)
    # the third stage takes both tokens, 4 cycles each
    assert measured.interval_cycles == 8
    assert measured.in_flight == cold(graph).in_flight


@pytest.mark.usefixtures("unfolded")
def test_bert_large_settles_sooner_from_a_guess(root, cold, spied):
    machine = load_hardware(root / "hwconfigs/hyflexpim.yaml")
    trace = read_trace(root / "workloads/bert_large.trace")
    graph = lower(machine, trace, map_trace(machine, trace))
    begun, filled = measure_stream(graph, spied, "auto", None), cold(graph)
    # 128 tokens of 421 cycles, see test_headline
    assert begun.interval_cycles == filled.interval_cycles == 128 * 421 == 53888
    # as many as an inference alone takes of these
    assert begun.in_flight == filled.in_flight == -(-int(alone(graph, FastEngine)[-1]) // 53888) == 29
    assert spied.begun == [0, 0, 29]
    assert begun.converged
    assert begun.completions < filled.completions


@pytest.mark.usefixtures("unfolded")
def test_a_stream_from_a_guess_may_lose_several_inferences_at_once():
    # Two servers in each of eight layers, one cycle each: an interval of half a cycle, so that every cycle
    # two inferences leave. Alone 1 + 8 * 3 = 25 cycles: 50 in flight.
    builder = GraphBuilder()
    done = builder.add(builder.resource("in", "p", servers=2), 1, 1, ONE)
    for number in range(3):
        begin = builder.mark()
        builder.begin_operation(f"l{number}.w", number)
        builder.place = Place(0, number)
        done = builder.add(builder.resource("a", "p", servers=2), 1, 3, ONE, [done])
    names = [lambda name, to=to: name.replace("l2.", f"l{to}.") for to in range(3, 8)]
    builder.repeat(begin, [Copy(more, more, name) for more, name in enumerate(names, 1)])
    graph = builder.build()
    assert guessed(graph) is not None
    for engine in ENGINES:
        measured = measure_stream(graph, engine, "auto", None)
        assert (measured.in_flight, measured.interval_cycles) == (50, 0.5)


@pytest.mark.usefixtures("unfolded")
@both
def test_starts_long_before_cycle_0_are_told(engine):
    # four stages of 2**30 cycles; the first inference is one cycle from its end, after 2**32 cycles
    run = engine(
        pipeline(*[2**30] * 4),
        in_flight=1,
        keep=1,
        warm=warm([0, 0, 2**30, 2**31, 3 * 2**30, 2**32], [2**32 - 1]),
    )
    run.advance(1)
    assert run.last_start()[1:].tolist() == [1 - 2**32, 1 - 3 * 2**30, 1 - 2**31, 1 - 2**30, 1]


# The first tasks of a graph.


def test_the_first_tasks_of_a_graph_are_a_graph():
    # entry 0, a 1, b 2 (after a), c 3 (after b), d 4 (after c), exit 5; b goes on when an a is over that is
    # two inferences before, a when c of the inference before has begun; d has an action
    builder, (a, b) = chain((2, 3), (4, 5))
    builder.begin_operation("later", 7)
    builder.place = Place(0, 3)
    c = builder.add(builder.resource("c", "p", copies=2), 6, 7, np.array([9]), [b])
    builder.edge(a, b, distance=2)
    builder.edge(c, a, from_start=True, distance=1)
    builder.edge(b, a, from_start=True, distance=1)
    builder.add(builder.resource("c", "p", copies=2), 8, 9, np.array([9]), [c], {"read": 1.0})
    graph = builder.build()

    first = first_tasks(graph, 3)
    assert first.resource.tolist() == [JOIN, 0, 1, JOIN]
    assert first.occupancy.tolist() == [0, 2, 4, 0]
    assert first.latency.tolist() == [0, 3, 5, 0]
    assert first.token.tolist() == [-1, 0, 0, -1]
    assert first.pu.tolist() == [-1, -1, -1, graph.pu[-1]]
    assert [first.operations[operation] for operation in first.operation] == [
        "entry",
        "entry",
        "entry",
        "exit",
    ]
    # entry to a; a to b, and to b two inferences later; b, whose finish none waits for now, to the exit
    assert edges(first.on_finish) == [(0, 1, 0), (1, 2, 0), (1, 2, 2), (2, 3, 0)]
    assert edges(first.on_start) == [(2, 1, 1)]
    assert (first.exit, len(first)) == (3, 4)
    assert (first.actions, first.alike) == ((), ())
    assert first.resources == graph.resources
    # the graph itself is as it was
    assert len(graph) == 6
    assert len(graph.actions) == 1

    four = first_tasks(graph, 4)
    # the copy that c is dealt to, and its PU and operation
    assert four.turn.tolist() == [0, 0, 0, 0, 0]
    assert four.pu.tolist() == [-1, -1, -1, 3, graph.pu[-1]]
    assert [four.operations[operation] for operation in four.operation[2:]] == ["entry", "later", "exit"]
    assert edges(four.on_finish) == [(0, 1, 0), (1, 2, 0), (1, 2, 2), (2, 3, 0), (3, 4, 0)]
    assert edges(four.on_start) == [(2, 1, 1), (3, 1, 1)]


def edges(some):
    """Source, target and distance of each."""
    source = np.repeat(np.arange(len(some.first) - 1), np.diff(some.first))
    columns = (source, some.target, some.distance)
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


@both
def test_the_first_tasks_start_as_in_the_whole_graph_where_nothing_comes_back(engine):
    graph = layered(SHARED)
    part = first_tasks(graph, graph.alike[0].begin(3))
    whole, first = engine(graph, inferences=5), engine(part, inferences=5)
    whole.advance()
    first.advance()
    np.testing.assert_array_equal(first.result().start[:, :-1], whole.result().start[:, : len(part) - 1])


# What the compiled loop reads.

SHARING = {
    "shared": lambda: layered(SHARED),
    "leaves": lambda: layered(SHARED, extra=["x"]),
    "ring": GRAPHS["ring"],
    "later": lambda: layered(SHARED, extra=["x"], back=[(9, 5, {"distance": 1})]),
    "twice": lambda: twice(),
}


@pytest.mark.parametrize("name", SHARING)
@pytest.mark.parametrize("in_flight", [None, 3])
def test_equal_layers_that_share_rows_start_as_those_that_do_not(name, in_flight, monkeypatch):
    graph, other = SHARING[name](), SHARING[name]()
    monkeypatch.setattr(fast_engine, "_equal", lambda *_: False)
    apart = run_fast(other, inferences=6, in_flight=in_flight)
    assert len(fast_engine.program_of(other).row) == len(other) + 1
    monkeypatch.undo()
    shared = run_fast(graph, inferences=6, in_flight=in_flight)
    np.testing.assert_array_equal(shared.start, apart.start)
    np.testing.assert_array_equal(shared.completed_cycles, apart.completed_cycles)


def test_layers_between_the_first_and_the_last_share_their_rows():
    graph = layered(SHARED)
    (alike,) = graph.alike
    # of seven equal layers of two tasks four are as the second
    assert (alike.tasks, alike.copies) == (2, 7)
    program = fast_engine.program_of(graph)
    assert len(program.row) == len(graph) - 4 * 2 + 1
    first = alike.begin(1)
    rows = program.place[first : alike.begin(6), 0].reshape(5, 2)
    assert (rows == rows[0]).all()
    # but no queues
    assert len(set(program.place[first : alike.begin(6), 1].tolist())) == 5


def test_layers_that_differ_have_rows_of_their_own():
    graph = layered(SHARED)
    graph.latency[graph.alike[0].begin(3)] += 1
    assert len(fast_engine.program_of(graph).row) == len(graph) + 1


def test_what_starts_too_early_is_put_off():
    # stages of 2, 6 and 2 cycles, the third one of an inference waiting for the second one after it
    builder, (_, second, third) = chain((2, 2), (6, 6), (2, 2))
    builder.edge(third, second, distance=1)
    graph = builder.build()
    start = np.array([-1, 0, 1, 20, 20])
    # the second after the first, the exit after the third; 20 + 2 - 14 = 8 from the inference before
    assert fast_engine.put_off(graph, start, 14.0)
    assert start.tolist() == [-1, 0, 8, 20, 22]
    # every 7 cycles the two stages of 8 cycles cannot be passed: always later
    assert not fast_engine.put_off(graph, start, 7.0)
