"""Schedules worked out by hand, to the cycle."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.errors import SimulationError
from archsim.sim.event_engine import EventEngine, run_event
from archsim.task_graph import GraphBuilder

ONE = np.zeros(1, dtype=np.int32)


def tokens(count):
    return np.arange(count, dtype=np.int32)


@pytest.fixture
def graph():
    return GraphBuilder()


def starts(run, *wires):
    return [run.start[:, wire].ravel().tolist() for wire in wires]


def test_a_graph_without_tasks_takes_no_time(graph):
    run = run_event(graph.build())
    assert run.start.tolist() == [[0, 0]]
    assert run.end == 0


def test_a_chain_waits_for_each_latency(graph):
    # a runs 0..5; b is blocked at 4 and ready at 5, runs to 8
    r = graph.resource("r", "p")
    s = graph.resource("s", "p")
    a = graph.add(r, 5, 5, ONE)
    b = graph.add(s, 3, 3, ONE, [a])
    run = run_event(graph.build())
    assert starts(run, a, b) == [[0], [5]]
    assert run.completed_cycles.tolist() == [8]


def test_a_server_is_held_for_the_occupancy_and_the_result_comes_after_the_latency(graph):
    # a pipelined unit: tasks start every 2 cycles, each result comes 7 after its start
    r, s = graph.resource("r", "p"), graph.resource("s", "p")
    a = graph.add(r, 2, 7, tokens(3))
    b = graph.add(s, 1, 1, tokens(3), [a])
    run = run_event(graph.build())
    assert starts(run, a, b) == [[0, 2, 4], [7, 9, 11]]


def test_a_server_may_be_held_after_the_result_is_there(graph):
    # results come after 1 cycle, the server recovers for 5: starts at 0 and 5, but b follows at 1 and 6;
    # the last inference leaves at 7, the server is released at 10
    r, s = graph.resource("r", "p"), graph.resource("s", "p")
    a = graph.add(r, 5, 1, tokens(2))
    b = graph.add(s, 1, 1, tokens(2), [a])
    run = run_event(graph.build())
    assert starts(run, a, b) == [[0, 5], [1, 6]]
    assert run.completed_cycles.tolist() == [7]
    assert run.end == 10


def test_ties_go_to_the_smaller_task_number(graph):
    # all three become ready at 0; the one that was added last starts last, whatever its token is
    r = graph.resource("r", "p")
    a = graph.add(r, 4, 4, np.array([2, 1, 0]))
    assert starts(run_event(graph.build()), a) == [[0, 4, 8]]


def test_first_come_first_served_even_if_the_number_is_larger(graph):
    # late becomes ready at 3 with the smaller number, early at 2: both wait for the server until 10
    r = graph.resource("r", "p")
    slow = graph.add(graph.resource("x", "p"), 3, 3, ONE)
    fast = graph.add(graph.resource("y", "p"), 2, 2, ONE)
    hog = graph.add(r, 10, 10, ONE)
    late = graph.add(r, 1, 1, ONE, [slow])
    early = graph.add(r, 1, 1, ONE, [fast])
    run = run_event(graph.build())
    assert starts(run, hog, early, late) == [[0], [10], [11]]
    # early waits 8 cycles and late 8, both together
    assert run.queues.waiting_cycles.tolist()[-1] == 0 or run.queues.waiting_cycles.sum() == 16
    assert run.queues.longest.max() == 2


def test_a_task_ready_in_a_later_round_of_the_same_instant_stays_behind(graph):
    # at cycle 4 hog releases r. In round 1 of cycle 4, first (number larger) becomes ready and starts.
    # zero runs in no time at cycle 4, so that second (number smaller) becomes ready in round 2 only.
    x, r = graph.resource("x", "p"), graph.resource("r", "p")
    feed = graph.add(x, 4, 4, ONE)
    zero = graph.add(x, 0, 0, ONE, [feed])
    hog = graph.add(r, 4, 4, ONE)
    second = graph.add(r, 5, 5, ONE, [zero])
    first = graph.add(r, 5, 5, ONE, [feed])
    run = run_event(graph.build())
    assert starts(run, hog, zero, first, second) == [[0], [4], [4], [9]]


def test_a_release_and_a_task_that_becomes_ready_in_the_same_round_meet(graph):
    # the server is released at 3 and the task becomes ready at 3: no cycle is lost
    r, s = graph.resource("r", "p"), graph.resource("s", "p")
    graph.add(r, 3, 9, ONE)
    feed = graph.add(s, 3, 3, ONE)
    task = graph.add(r, 1, 1, ONE, [feed])
    assert starts(run_event(graph.build()), task) == [[3]]


def test_joins_take_no_time_one_after_the_other(graph):
    # three joins in a row complete at 4, when the slower of a (2) and b (4) has finished; c starts at 4
    a = graph.add(graph.resource("x", "p"), 2, 2, ONE)
    b = graph.add(graph.resource("y", "p"), 4, 4, ONE)
    first = graph.join([a, b], ONE)
    second = graph.join([first], ONE)
    third = graph.join([second, a], ONE)
    c = graph.add(graph.resource("x", "p"), 1, 1, ONE, [third])
    run = run_event(graph.build())
    assert starts(run, first, second, third, c) == [[4], [4], [4], [4]]


def test_an_edge_from_the_start_of_a_join_counts_from_its_completion(graph):
    # the join completes at 3, which is its start as well
    a = graph.add(graph.resource("x", "p"), 3, 3, ONE)
    join = graph.join([a], ONE)
    b = graph.add(graph.resource("y", "p"), 1, 1, ONE)
    graph.edge(join, b, from_start=True)
    assert starts(run_event(graph.build()), join, b) == [[3], [3]]


def test_a_start_to_start_edge_waits_for_the_start_only(graph):
    # b waits for the start of the second a, at 6, not for its finish at 12
    a = graph.add(graph.resource("x", "p"), 6, 6, tokens(2))
    b = graph.add(graph.resource("y", "p"), 1, 1, ONE)
    graph.edge(a[1:], b, from_start=True)
    assert starts(run_event(graph.build()), a, b) == [[0, 6], [6]]


def test_what_a_start_makes_ready_belongs_to_the_next_round(graph):
    # x and y are free at 0. In round 1, a (on x) and hog (on y) start. The start of a makes b ready, in
    # round 2, behind hog although its number is smaller: y is held until 5.
    x, y = graph.resource("x", "p"), graph.resource("y", "p")
    b = graph.add(y, 1, 1, ONE)
    a = graph.add(x, 1, 1, ONE)
    graph.edge(a, b, from_start=True)
    hog = graph.add(y, 5, 5, ONE)
    assert starts(run_event(graph.build()), a, hog, b) == [[0], [0], [5]]


def test_several_servers_share_a_queue(graph):
    # two servers, tasks of 4, 1, 2, 2 cycles: 0..4 on one; 0..1, 1..3, 3..5 on the other
    r = graph.resource("r", "p", servers=2)
    length = np.array([4, 1, 2, 2])
    a = graph.add(r, length, length, tokens(4))
    run = run_event(graph.build())
    assert starts(run, a) == [[0, 0, 1, 3]]
    assert run.queues.busy_cycles.tolist() == [9]
    assert run.queues.waiting_cycles.tolist() == [4]
    assert run.queues.longest.tolist() == [2]
    # held for 9 of 2 x 5 server cycles


def test_a_task_of_no_occupancy_still_takes_its_turn(graph):
    # three tasks on one server in three rounds of cycle 0; their results come 2 cycles later
    r = graph.resource("r", "p")
    a = graph.add(r, 0, 2, tokens(3))
    b = graph.add(r, 3, 3, ONE)
    run = run_event(graph.build())
    assert starts(run, a, b) == [[0, 0, 0], [0]]
    assert run.finish[0, a].tolist() == [2, 2, 2]


def test_a_task_of_no_latency_finishes_in_the_next_round(graph):
    # a holds x for 3 cycles, but its result is there at once: b starts at 0, c on x at 3
    x, y = graph.resource("x", "p"), graph.resource("y", "p")
    a = graph.add(x, 3, 0, ONE)
    b = graph.add(y, 1, 1, ONE, [a])
    c = graph.add(x, 1, 1, ONE, [a])
    assert starts(run_event(graph.build()), a, b, c) == [[0], [0], [3]]


def test_a_ring_lets_a_task_start_when_the_slot_is_released(graph):
    # two slots: the third producer waits for the first consumer's finish at 1 + 10 = 11, the fourth for 21
    p = graph.add(graph.resource("x", "p"), 1, 1, tokens(4))
    c = graph.add(graph.resource("y", "p"), 10, 10, tokens(4), [p])
    graph.ring(c, p, 2)
    run = run_event(graph.build())
    assert starts(run, p, c) == [[0, 1, 11, 21], [1, 11, 21, 31]]


def test_a_ring_goes_on_through_the_inferences_of_a_stream(graph):
    # three slots and two tokens: producer 1 of inference 1 is the fourth, it waits for consumer 0 of
    # inference 0, which finishes at 11; producers 0 and 1 of inference 2 wait for consumers 1 and 2 (21, 31)
    p = graph.add(graph.resource("x", "p"), 1, 1, tokens(2))
    c = graph.add(graph.resource("y", "p"), 10, 10, tokens(2), [p])
    graph.ring(c, p, 3)
    run = run_event(graph.build(), inferences=3)
    assert run.start[:, p].tolist() == [[0, 1], [2, 11], [21, 31]]
    assert run.start[:, c].tolist() == [[1, 11], [21, 31], [41, 51]]


def test_tokens_are_dealt_to_copies_in_turn_across_inferences(graph):
    # two copies and three tokens of 10 cycles. Inference 0: tokens 0, 2 on copy 0 and 1 on copy 1;
    # inference 1 goes on with copy 1: tokens 0, 2 on copy 1, and 1 on copy 0
    r = graph.resource("r", "p", copies=2)
    a = graph.add(r, 10, 10, tokens(3))
    run = run_event(graph.build(), inferences=2)
    assert run.start[:, a].tolist() == [[0, 0, 10], [10, 20, 20]]
    assert run.queues.busy_cycles.tolist() == [30, 30]


def test_an_inference_enters_when_one_leaves(graph):
    # each inference takes 4 + 4 cycles on two servers; two in flight keep both busy: one leaves every 4
    a = graph.add(graph.resource("x", "p"), 4, 4, ONE)
    b = graph.add(graph.resource("y", "p"), 4, 4, ONE, [a])
    run = run_event(graph.build(), inferences=4, in_flight=1)
    assert run.start[:, a].ravel().tolist() == [0, 8, 16, 24]
    run = run_event(graph.build(), inferences=4, in_flight=2)
    assert run.start[:, b].ravel().tolist() == [4, 8, 12, 16]
    assert run.completed_cycles.tolist() == [8, 12, 16, 20]
    assert run.start[:, 0].tolist() == [0, 0, 8, 12]


def test_a_stream_goes_on_where_it_was_interrupted_and_keeps_what_was_asked_for(graph):
    a = graph.add(graph.resource("x", "p"), 4, 4, ONE)
    engine = EventEngine(graph.build(), in_flight=2, keep=1)
    engine.advance(2)
    assert engine.result().end == 8
    engine.advance(5)
    run = engine.result()
    assert run.completed_cycles.tolist() == [4, 8, 12, 16, 20]
    assert run.inferences.tolist() == [4]
    assert run.start[:, a].tolist() == [[16]]
    assert engine.last_start()[a].tolist() == [16]
    engine.advance(3)
    assert engine.result().end == 20


def test_glimpses_are_equal_when_the_stream_repeats_itself(graph):
    graph.add(graph.resource("x", "p", copies=2), 4, 6, tokens(3))
    engine = EventEngine(graph.build(), in_flight=2, keep=1, remember=3)
    states = []
    for completions in range(1, 9):
        engine.advance(completions)
        states.append(engine.glimpse())
    # three tokens on two copies: an inference finds the copies as the last but one did, not as the last
    assert states[-1].near(states[-3], 0)
    assert not states[-1].near(states[-2], 0)


def test_the_number_of_inferences_has_to_end_somewhere(graph):
    with pytest.raises(ValueError, match="give in_flight or inferences"):
        EventEngine(graph.build())


@pytest.mark.parametrize(
    ("occupancy", "latency", "message"),
    [
        (-1, 4, "entry on chip0.x has occupancy -1 and latency 4 cycles; neither may be negative"),
        (3, -2, "entry on chip0.x has occupancy 3 and latency -2 cycles; neither may be negative"),
    ],
)
def test_negative_durations_are_errors(graph, occupancy, latency, message):
    graph.begin_operation("entry", None)
    graph.add(graph.resource("x", "p"), occupancy, latency, np.array([-1]))
    with pytest.raises(SimulationError) as error:
        run_event(graph.build())
    assert str(error.value) == message


def test_a_join_that_takes_time_is_an_error(graph):
    graph.begin_operation("sum", None)
    graph.add(-1, 0, 3, np.array([5]))
    with pytest.raises(SimulationError) as error:
        run_event(graph.build())
    assert str(error.value) == (
        "sum of token 5 (a join) has occupancy 0 and latency 3 cycles; a task without resource takes no time"
    )
