"""The steady state of closed loops, against intervals worked out by hand."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.errors import MappingError, SimulationError
from archsim.sim.engine import Glimpse, Queues
from archsim.sim.event_engine import EventEngine
from archsim.sim.stream import measure_stream
from archsim.task_graph import GraphBuilder

ONE = np.zeros(1, dtype=np.int32)


def pipeline(*cycles):
    """A chain of servers, one task each."""
    builder = GraphBuilder()
    wires = []
    for stage, length in enumerate(cycles):
        server = builder.resource(f"s{stage}", "p")
        wires.append(builder.add(server, length, length, ONE, wires[-1:]))
    return builder.build()


def pipelined(occupancy, latency):
    """One unit that takes a task every ``occupancy`` cycles."""
    builder = GraphBuilder()
    builder.add(builder.resource("r", "p"), occupancy, latency, ONE)
    return builder.build()


@pytest.mark.parametrize(("in_flight", "interval"), [(1, 10.0), (2, 6.0), (3, 6.0)])
def test_a_pipeline_is_as_fast_as_its_slowest_stage(in_flight, interval):
    # alone, an inference takes 2 + 6 + 2 cycles; two of them keep the middle stage busy
    stream = measure_stream(pipeline(2, 6, 2), EventEngine, in_flight, None)
    assert stream.interval_cycles == interval
    assert stream.bound_cycles == 6
    assert stream.in_flight == in_flight
    assert stream.converged


def test_auto_takes_as_many_as_keep_the_slowest_stage_busy():
    # ceil(10 / 6) = 2
    assert measure_stream(pipeline(2, 6, 2), EventEngine, "auto", None).in_flight == 2
    # 20 cycles inside, one can start every 2: 10 in flight
    stream = measure_stream(pipelined(2, 20), EventEngine, "auto", None)
    assert (stream.in_flight, stream.interval_cycles) == (10, 2.0)


def test_auto_takes_no_more_than_fit():
    # three enter at 0, start at 0, 2, 4, leave at 20, 22, 24 and let the next three in: 3 every 20 cycles
    stream = measure_stream(pipelined(2, 20), EventEngine, "auto", 3)
    assert stream.in_flight == 3
    assert stream.interval_cycles == pytest.approx(20 / 3, rel=1e-12)


def test_auto_stops_where_more_bring_nothing():
    # the next start waits for this finish, 10 cycles later, although the unit is held for 2 only: one in
    # flight is as fast as any number
    builder = GraphBuilder()
    task = builder.add(builder.resource("r", "p"), 2, 10, ONE)
    builder.ring(task, task, 1)
    stream = measure_stream(builder.build(), EventEngine, "auto", None)
    assert (stream.in_flight, stream.interval_cycles, stream.bound_cycles) == (1, 10.0, 2.0)


def test_auto_is_not_deceived_by_a_burst_that_is_faster_than_the_machine():
    # a and b (6 cycles each) share a server, c between them takes 40 cycles: 52 alone, ceil(52 / 12) = 5.
    # With 15 that enter at once, all a go first; then b after b leave every 6 cycles, faster than the 12
    # for which an inference holds the server, and window after window agrees on less than 12.
    builder = GraphBuilder()
    server = builder.resource("r", "p")
    a = builder.add(server, 6, 6, ONE)
    c = builder.add(builder.resource("c", "p"), 1, 40, ONE, [a])
    builder.add(server, 6, 6, ONE, [c])
    graph = builder.build()
    stream = measure_stream(graph, EventEngine, "auto", None)
    assert (stream.in_flight, stream.interval_cycles, stream.bound_cycles) == (5, 12.0, 12.0)
    assert measure_stream(graph, EventEngine, 4, None).interval_cycles > 12.012
    assert measure_stream(graph, EventEngine, 15, None).interval_cycles == pytest.approx(12, rel=1e-3)


def test_the_bound_deals_with_uneven_copies():
    # three tasks of 10 on two copies: 15 a copy and inference
    builder = GraphBuilder()
    builder.add(builder.resource("r", "p", copies=2), 10, 10, np.arange(3))
    assert Queues.of(builder.build()).bound_cycles() == 15
    # two tasks on two copies: the long one falls on copy 0 in every inference
    builder = GraphBuilder()
    builder.add(builder.resource("r", "p", copies=2), np.array([10, 2]), 10, np.arange(2))
    assert Queues.of(builder.build()).bound_cycles() == 10
    # four tasks on six copies, two of them long: turns 0 and 2 fall on copies 0, 2, 4: 20 in 3 inferences
    builder = GraphBuilder()
    builder.add(builder.resource("r", "p", copies=6), np.array([10, 0, 10, 0]), 10, np.arange(4))
    assert Queues.of(builder.build()).bound_cycles() == pytest.approx(20 / 3)
    # two servers with one queue halve it
    builder = GraphBuilder()
    builder.add(builder.resource("r", "p", servers=2), 10, 10, np.arange(3))
    assert Queues.of(builder.build()).bound_cycles() == 15


def test_copies_that_alternate_are_measured_over_their_whole_period():
    # One token on a copy of its own in each of two stages, 5 and 3 cycles, is dealt to two copies and to
    # three: the deal repeats after six inferences. Alone it takes 8 cycles whatever copies it meets; the
    # first stage's copies are held for 5 in every second inference, the second's for 3 in every third.
    builder = GraphBuilder()
    a = builder.add(builder.resource("a", "p", copies=2), 5, 5, ONE)
    builder.add(builder.resource("b", "p", copies=3), 3, 3, ONE, [a])
    graph = builder.build()
    assert measure_stream(graph, EventEngine, 1, None).interval_cycles == 8
    assert measure_stream(graph, EventEngine, 4, None).interval_cycles == 2.5
    # three tasks of 10 on two copies: an inference alone takes 20, a long stream 15 for each
    builder = GraphBuilder()
    builder.add(builder.resource("r", "p", copies=2), 10, 10, np.arange(3))
    graph = builder.build()
    assert measure_stream(graph, EventEngine, 1, None).interval_cycles == 20
    assert measure_stream(graph, EventEngine, "auto", None).interval_cycles == 15


def test_the_schedule_is_that_of_the_inference_that_left_last():
    # one at a time, 10 cycles each
    stream = measure_stream(pipeline(2, 6, 2), EventEngine, 1, None)
    entered = 10 * (stream.completions - 1)
    assert (stream.start - entered).tolist() == [0, 0, 2, 8, 10]
    assert (stream.finish - entered).tolist() == [0, 2, 8, 10, 10]


def test_more_in_flight_than_fit_is_an_error():
    with pytest.raises(MappingError) as error:
        measure_stream(pipeline(2, 6), EventEngine, 5, 3)
    assert str(error.value) == (
        "in_flight: 5 inferences at once need more storage than there is: 3 fit, 2 too many; "
        "use 3 or fewer, or auto"
    )


def test_a_stream_that_nothing_holds_up_is_an_error():
    with pytest.raises(SimulationError) as error:
        measure_stream(pipelined(0, 5), EventEngine, "auto", None)
    assert str(error.value) == (
        "no task holds a part of the machine: nothing bounds the throughput of a stream"
    )


class Script:
    """An engine whose inferences leave at cycles that are written down, in no state twice."""

    intervals: ClassVar[list[int]]

    def __init__(self, graph, *, in_flight=None, inferences=None, keep=None, warm=None, remember=0):
        self.left = []

    def advance(self, completions=None):
        while len(self.left) < completions:
            last = self.left[-1] if self.left else 0
            self.left.append(last + self.intervals[min(len(self.left), len(self.intervals) - 1)])

    def last_start(self):
        return np.zeros(3, dtype=np.int64)

    def result(self):
        raise NotImplementedError

    def glimpse(self):
        left = len(self.left)
        never = np.full((1, 2), -(2**62))
        return Glimpse(0, left, ONE, ONE, np.array([[left, 1]]), never, np.array([-1]), np.array([left]))


def test_two_windows_that_agree_settle_a_stream_that_never_repeats_itself():
    class Settling(Script):
        intervals: ClassVar[list[int]] = [100] * 30 + [10]

    # The first 30 intervals are 100, all others 10. After 70 completions the last window of 20 has the
    # intervals 51..70 and the one before it 31..50: both 10. One completion earlier the one before it
    # still has a 100, and a mean of 14.5.
    stream = measure_stream(pipeline(1), Settling, 20, None)
    assert stream.converged
    assert stream.interval_cycles == 10
    assert stream.completions == 70


def test_a_stream_that_does_not_settle_says_so():
    class Slowing(Script):
        intervals: ClassVar[list[int]] = list(range(1, 1000))

    # 12 windows of 20 completions; the last has intervals 221 .. 240
    stream = measure_stream(pipeline(1), Slowing, 20, None)
    assert not stream.converged
    assert stream.completions == 240
    assert stream.interval_cycles == 230.5


@given(data=st.data(), in_flight=st.integers(1, 4))
def test_the_interval_is_that_of_a_long_stream(data, random_graphs, in_flight):
    graph = data.draw(random_graphs)
    bound = Queues.of(graph).bound_cycles()
    if not bound:
        return
    stream = measure_stream(graph, EventEngine, in_flight, None)
    engine = EventEngine(graph, in_flight=in_flight, keep=1)
    engine.advance(600)
    # 480 completions are whole periods of copies (1, 2, 3) and in_flight; a transient may shift either end
    long = (engine.left[-1] - engine.left[-481]) / 480
    assert stream.converged
    assert stream.interval_cycles == pytest.approx(long, rel=0.01)
    assert stream.interval_cycles >= bound * (1 - 1e-3)


def test_a_search_that_takes_too_many_tasks_is_cut_short_and_says_so(monkeypatch):
    # the graph of test_auto_stops_where_more_bring_nothing: alone 10 cycles, the unit held for 2, so that
    # the first loop has 5 in flight; it is measured whatever it takes, the next ones are not
    builder = GraphBuilder()
    task = builder.add(builder.resource("r", "p"), 2, 10, ONE)
    builder.ring(task, task, 1)
    monkeypatch.setattr("archsim.sim.stream.MOST_TASKS", 1)
    stream = measure_stream(builder.build(), EventEngine, "auto", None)
    assert (stream.in_flight, stream.interval_cycles, stream.searched) == (5, 10.0, False)
    # a first loop at the bound is the end of the search, and nothing is cut short
    assert measure_stream(pipeline(2, 6, 2), EventEngine, "auto", None).searched
