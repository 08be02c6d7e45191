"""When a state counts as one in which a run has been: glimpses written down by hand, and long runs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.sim.engine import Glimpse, Queues
from archsim.sim.event_engine import run_event
from archsim.sim.fast_engine import FastEngine
from archsim.sim.stream import measure_stream
from archsim.task_graph import GraphBuilder

OCCUPANCY = np.array([4, 90, 10], dtype=np.int32)


def glimpse(begun, starts, *, left=0, now=1000, waiting=(-1,), by=None):
    """Three tasks that take OCCUPANCY cycles each. Args: starts: (tasks, 2) cycles from now."""
    cycles = now + np.array(starts)
    shifts = np.zeros(1, dtype=np.int64)
    begun = np.array(begun)
    begun = np.stack([begun, begun * (begun - 1) // 2 if by is None else by], axis=1)
    return Glimpse(now, left, OCCUPANCY, OCCUPANCY, begun, cycles, np.array(waiting), shifts)


BEFORE = glimpse([2, 2, 2], [[-300, -800], [-200, -700], [-4, -500]])


def after(begun, starts, waiting=(-1,)):
    """One more has left, 500 cycles later."""
    return glimpse(begun, starts, left=1, now=1500, waiting=waiting)


SAME = after([3, 3, 3], [[-300, -800], [-200, -700], [-4, -504]])


def test_a_state_is_near_the_same_one_an_inference_later():
    assert SAME.near(BEFORE, 0)


def test_what_runs_may_have_begun_a_little_later():
    # the third task runs for 10 cycles: it began 4 cycles ago then, 1 cycle ago now, 3 later
    now = after([3, 3, 3], [[-300, -800], [-200, -700], [-1, -504]])
    assert now.no_later(BEFORE, 3)
    assert not now.no_later(BEFORE, 2)
    assert BEFORE.no_later(now, 0)


def test_when_something_began_does_not_count_once_it_is_over():
    # the first task takes 4 cycles, and was over 296 and 96 cycles ago
    now = after([3, 3, 3], [[-100, -800], [-200, -700], [-4, -504]])
    assert now.near(BEFORE, 0)


def test_what_has_begun_lately_need_not_have_begun_yet():
    # the third task began 4 cycles ago then; now its last start is the one of the inference before
    now = after([3, 3, 2], [[-300, -800], [-200, -700], [-504, -1000]])
    assert now.no_later(BEFORE, 5)
    assert not now.no_later(BEFORE, 4)
    # seen from now, it has begun once more then, which is earlier
    assert BEFORE.no_later(now, 0)


def test_what_has_begun_once_more_is_compared_by_the_start_before():
    # the third task began 4 cycles ago, and 10 before: the one that began 4 cycles ago then did so 10 ago
    now = after([3, 3, 4], [[-300, -800], [-200, -700], [-4, -10]])
    assert now.no_later(BEFORE, 0)
    assert not BEFORE.no_later(now, 4)


def test_what_has_run_for_longer_than_is_remembered_is_not_known():
    then = glimpse([2, 2, 2], [[-300, -800], [-20, -60], [-4, -500]])
    now = after([3, 3, 3], [[-300, -800], [-20, -60], [-4, -504]])
    # the second task takes 90 cycles: both starts run, and perhaps one before them
    assert not now.no_later(then, 100)


def test_what_waits_may_have_a_little_more_work_before_it():
    # tasks 0 (4 cycles), 1 (90) and 2 (10) of inference 3 wait then, of inference 4 now: task 0 behind task
    # 1, so with 90 cycles more before it; task 2 has 94 before it both times
    then = glimpse([2, 2, 2], [[-300, -800], [-200, -700], [-4, -500]], waiting=[9, 10, 11, -1])
    now = after([3, 3, 3], [[-300, -800], [-200, -700], [-4, -504]], waiting=[13, 12, 14, -1])
    assert now.no_later(then, 90)
    assert not now.no_later(then, 89)
    # seen from now, task 1 has 4 cycles more before it then
    assert then.no_later(now, 4)
    assert not then.no_later(now, 3)


def test_what_waits_only_once_does_not_count():
    now = after([3, 3, 3], [[-300, -800], [-200, -700], [-4, -504]], waiting=[12, -1])
    assert now.near(BEFORE, 0)


def test_a_state_in_which_one_has_overtaken_another_is_another_one():
    # the second task has been begun by inferences 0, 1 and 3
    rows = [[-300, -800], [-200, -700], [-4, -504]]
    now = glimpse([3, 3, 3], rows, left=1, now=1500, by=[3, 4, 3])
    assert not now.no_later(BEFORE, 0)
    # and still, one inference later
    rows[2] = [-4, -508]
    assert glimpse([4, 4, 4], rows, left=2, now=2000, by=[6, 0 + 1 + 2 + 4, 6]).near(now, 0)


def test_sums_of_inferences_may_be_larger_than_numbers_of_32_bits():
    # 70,000 have left: the inferences 0 to 69,999 sum to 2,449,965,000, 2**32 more than is stored
    builder = GraphBuilder()
    builder.add(builder.resource("a", "p"), 4, 4, np.zeros(1, dtype=np.int32))
    queues = Queues.of(builder.build())
    nothing = np.array([-1])
    then, now = (
        Glimpse.of(queues, 4 * left, left, *np.split(np.tile(_row(left), (3, 1)), 2, axis=1), nothing)
        for left in (70_000, 70_001)
    )
    assert then.begun[[0, -1], 1].tolist() == [2_449_965_000 - 2**32] * 2
    assert now.near(then, 0)


def _row(left):
    """The only task began when the last one left, and 4 cycles before."""
    total = left * (left + 1) // 2
    return np.array([left + 1, (total + 2**31) % 2**32 - 2**31, 4 * left, 4 * left - 4], dtype=np.int32)


@pytest.mark.parametrize("queues", [[9, -1, 10, -1], [10, 9, -1, -1]])
def test_work_counts_in_its_own_queue(queues):
    then = glimpse([2, 2, 2], [[-300, -800], [-200, -700], [-4, -500]], waiting=queues)
    now = after([3, 3, 3], [[-300, -800], [-200, -700], [-4, -504]], waiting=[12, -1, 13, -1])
    # apart, neither has work before it
    assert now.no_later(then, 0)


def begun_no_later(here, there, cycles):
    """``Glimpse.no_later`` for what has begun, in NumPy."""
    remembered = np.arange(here.starts.shape[1])
    own = here.starts.astype(np.int64) - here.now
    theirs = there.starts.astype(np.int64) - there.now
    on = here.left - there.left
    (times, by), (times_there, by_there) = (each.begun.astype(np.int64).T for each in (here, there))
    ahead = times - times_there - on
    in_turn = by - by_there == on * times_there + on * (on - 1) // 2
    once = (ahead == 0) & (own[:, 0] - theirs[:, 0] <= cycles)
    runs = own + here.cycles[:, None] > 0
    clear = once & ~runs[:, 1]
    like = remembered - ahead[:, None]
    then = np.take_along_axis(theirs, np.clip(like, 0, remembered[-1]), axis=1)
    late = runs & (like >= 0) & ((like > remembered[-1]) | (own - then > cycles))
    missing = ahead + (theirs > -cycles).sum(axis=1) < 0
    return not ((once & ~in_turn) | (~clear & (missing | runs[:, -1] | late.any(axis=1)))).any()


@settings(max_examples=300, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    widths=st.sampled_from([(32, 32), (64, 64), (64, 32), (32, 64)]),
    tasks=st.integers(1, 4),
    cycles=st.integers(0, 40).map(lambda quarters: quarters / 4),
)
def test_compiled_code_compares_what_has_begun_as_numpy_does(seed, widths, tasks, cycles):
    random = np.random.default_rng(seed)
    takes = random.integers(0, 12, tasks, dtype=np.int32)
    left = random.integers(0, 3, 2)
    glimpses = []
    for width, gone in zip(widths, left, strict=True):
        # mostly as often as inferences have left, lately or a while ago, in turn but for one in ten
        times = gone + 3 + random.choice([-1, 0, 0, 0, 0, 0, 1, 2], tasks)
        by = times * (times - 1) // 2 + (random.random(tasks) < 0.1)
        starts = 500 - np.cumsum(random.integers(0, 9, (tasks, 4)), axis=1)
        integer = np.dtype(f"i{width // 8}")
        begun, starts = np.stack([times, by], axis=1).astype(integer), starts.astype(integer)
        now = 500 + int(random.integers(0, 9))
        nothing, shifts = np.array([-1]), np.zeros(1, dtype=np.int64)
        glimpses.append(Glimpse(now, int(gone), takes, takes, begun, starts, nothing, shifts))
    here, there = glimpses
    assert here.no_later(there, cycles) == begun_no_later(here, there, cycles)


@settings(max_examples=400, deadline=None)
@given(data=st.data(), in_flight=st.integers(1, 4), stretch=st.integers(1, 3000))
def test_a_state_that_recurs_tells_the_interval_of_a_long_run(data, random_graphs, in_flight, stretch):
    graph = data.draw(random_graphs)
    if not graph.busy_cycles().any() or not run_event(graph).start[0][graph.exit]:
        return
    for name in ("occupancy", "latency"):
        durations = getattr(graph, name)
        some = data.draw(st.lists(st.integers(-3, 3), min_size=len(graph), max_size=len(graph)))
        durations[:] = np.where(durations > 0, np.maximum(durations * stretch + some, 1), 0)
    stream = measure_stream(graph, FastEngine, in_flight, None)
    if stream.completions >= 24:
        return  # perhaps by the rule of windows, which take that many
    engine = FastEngine(graph, in_flight=in_flight, keep=1)
    engine.advance(600)
    mean = (engine.left[599] - engine.left[299]) / 300
    assert stream.interval_cycles == pytest.approx(mean, rel=5e-3, abs=0.02)
