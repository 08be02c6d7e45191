"""The fast engine gives every task the start that the event engine gives it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.errors import SimulationError
from archsim.hardware.loader import load_hardware
from archsim.mapping.build import map_trace
from archsim.schedule.lower import lower
from archsim.sim import fast_engine, fast_layout
from archsim.sim.engine import wire
from archsim.sim.engines import WORTH_COMPILED, choose_engine
from archsim.sim.event_engine import EventEngine, run_event
from archsim.sim.fast_engine import FastEngine, run_fast
from archsim.sim.stream import measure_stream
from archsim.task_graph import GraphBuilder
from archsim.workload.trace import read_trace

WORKLOADS = Path(__file__).parents[2] / "workloads"
IN_FLIGHT = st.none() | st.integers(1, 3)


@settings(max_examples=400)
@given(data=st.data(), inferences=st.integers(1, 5), in_flight=IN_FLIGHT)
def test_both_engines_give_every_task_the_same_start(data, random_graphs, inferences, in_flight):
    graph = data.draw(random_graphs)
    event, fast = run_event(graph, inferences, in_flight), run_fast(graph, inferences, in_flight)
    np.testing.assert_array_equal(fast.start, event.start)
    np.testing.assert_array_equal(fast.finish, event.finish)
    np.testing.assert_array_equal(fast.completed_cycles, event.completed_cycles)
    assert fast.end == event.end


@settings(max_examples=200)
@given(data=st.data())
def test_a_program_leads_where_the_edges_of_its_graph_lead(data, random_graphs):
    graph = data.draw(random_graphs)
    program, wiring = fast_engine.program_of(graph), wire(graph, None)
    kinds = (fast_layout.FINISH, wiring.on_finish), (fast_layout.START, wiring.on_start)
    for task, row in enumerate(program.place[:, fast_layout.ROW]):
        for column, edges in kinds:
            own = slice(edges.first[task], edges.first[task + 1])
            led = [
                leads_to(program, task, edge)
                for edge in program.edge[program.row[row, column] : program.row[row + 1, column]]
            ]
            assert led == [*zip(edges.target[own], edges.distance[own], strict=True)]


def leads_to(program, task, edge):
    """The target of an edge of a row, and how many inferences later that is."""
    if edge >= fast_layout.FAR:
        ahead, distance = program.later[edge - fast_layout.FAR]
        return task + ahead, distance
    return (program.exit if edge == fast_layout.EXIT else task + edge), 0


@settings(max_examples=100)
@given(data=st.data(), inferences=st.integers(1, 3), in_flight=IN_FLIGHT)
def test_both_engines_find_the_same_deadlocks(data, random_cyclic_graphs, inferences, in_flight):
    graph = data.draw(random_cyclic_graphs)
    try:
        event = run_event(graph, inferences, in_flight)
    except SimulationError as error:
        with pytest.raises(SimulationError) as found:
            run_fast(graph, inferences, in_flight)
        assert str(found.value) == str(error)
    else:
        np.testing.assert_array_equal(run_fast(graph, inferences, in_flight).start, event.start)


@settings(max_examples=100)
@given(data=st.data(), in_flight=st.integers(1, 4))
def test_both_engines_settle_streams_alike(data, random_graphs, in_flight):
    # bounds that are not zero: some resource is held
    graph = data.draw(random_graphs)
    if not graph.busy_cycles().any():
        return
    event = measure_stream(graph, EventEngine, in_flight, None)
    fast = measure_stream(graph, FastEngine, in_flight, None)
    assert (fast.interval_cycles, fast.completions, fast.converged) == (
        event.interval_cycles,
        event.completions,
        event.converged,
    )
    np.testing.assert_array_equal(fast.start, event.start)


@settings(max_examples=100)
@given(data=st.data(), in_flight=st.integers(1, 4))
def test_a_stream_has_equal_glimpses_on_both_engines_at_the_same_completions(data, random_graphs, in_flight):
    graph = data.draw(random_graphs)
    if not graph.busy_cycles().any():
        return
    seen = []
    for engine in (
        EventEngine(graph, in_flight=in_flight, keep=1, remember=8),
        FastEngine(graph, in_flight=in_flight, keep=1, remember=8),
    ):
        states = []
        for completions in range(1, 9):
            engine.advance(completions)
            states.append(engine.glimpse())
        seen.append([[a.near(b, 0) for a in states] for b in states])
    assert seen[0] == seen[1]


@settings(max_examples=200)
@given(data=st.data(), in_flight=st.integers(1, 4))
def test_equal_glimpses_tell_what_every_task_waits_for(data, random_graphs, in_flight):
    graph = data.draw(random_graphs)
    if not graph.busy_cycles().any():
        return
    engine = EventEngine(graph, in_flight=in_flight, keep=1, remember=8)
    seen = []
    for completions in range(1, 9):
        engine.advance(completions)
        oldest, youngest = min(engine._inside), max(engine._inside)
        gone = [number - oldest for number in range(oldest, youngest) if number not in engine._inside]
        inside = [number for number in range(oldest, oldest + 8) if number - oldest not in gone]
        seen.append((engine.glimpse(), gone, [engine._touch(number).waits[:] for number in inside]))
    for glimpse, *rest in seen:
        assert all(rest == others for other, *others in seen if glimpse.near(other, 0))


@settings(max_examples=50)
@given(data=st.data(), inferences=st.integers(1, 4), in_flight=IN_FLIGHT)
def test_endings_beyond_the_wheel_come_in_time(data, random_graphs, inferences, in_flight):
    graph = data.draw(random_graphs)
    wheel = fast_engine._LONGEST_WHEEL
    fast_engine._LONGEST_WHEEL = 1  # the least wheel has 64 cycles: stretch the durations beyond it
    try:
        for name in ("occupancy", "latency"):
            getattr(graph, name)[:] *= 40
        fast = run_fast(graph, inferences, in_flight)
    finally:
        fast_engine._LONGEST_WHEEL = wheel
    np.testing.assert_array_equal(fast.start, run_event(graph, inferences, in_flight).start)


def test_cycles_beyond_32_bits_take_wider_slots():
    # one server takes three tasks of 2**30 cycles an inference; each finishes five cycles after its release
    builder = GraphBuilder()
    builder.add(builder.resource("r", "p"), 2**30, 2**30 + 5, np.arange(3))
    run = run_fast(builder.build(), inferences=2)
    assert run.start[:, 1:4].tolist() == [[0, 2**30, 2**31], [3 * 2**30, 2**32, 5 * 2**30]]
    assert run.completed_cycles.tolist() == [3 * 2**30 + 5, 6 * 2**30 + 5]


def test_a_stream_of_many_inferences_holds_only_what_is_in_flight():
    builder = GraphBuilder()
    builder.add(builder.resource("r", "p"), 2, 5, np.arange(3))
    engine = FastEngine(builder.build(), in_flight=4, keep=1)
    slots = len(engine._run.slot)
    engine.advance(1000)
    # three tasks of two cycles each an inference, on one server
    assert engine.left[-1] - engine.left[-2] == 6
    assert len(engine._run.slot) == slots


def test_an_inference_that_overtakes_many_others_gets_more_contexts():
    # inferences alternate between two copies; the first holds its copy for 10000 cycles, so that those on
    # the other copy leave, and let others in, while it is still inside
    builder = GraphBuilder()
    fast, slow = builder.resource("fast", "p", copies=2), builder.resource("slow", "p")
    token = np.zeros(1, dtype=np.int32)
    builder.add(fast, 1, 1, token)
    builder.add(slow, 3, 3, token)
    graph = builder.build()
    event, compiled = run_event(graph, 40, 3), run_fast(graph, 40, 3)
    np.testing.assert_array_equal(compiled.start, event.start)


def test_a_long_run_comes_back_to_look_for_ctrl_c_and_goes_on():
    # one server takes a task in each cycle, so that every cycle is an instant
    builder = GraphBuilder()
    tasks = fast_layout.PAUSE_AFTER + 10
    builder.add(builder.resource("r", "p"), 1, 1, np.arange(tasks))
    assert run_fast(builder.build()).completed_cycles.tolist() == [tasks]


def test_compiled_code_is_taken_from_disk_without_numba(root):
    builder = GraphBuilder()
    builder.add(builder.resource("r", "p"), 2, 5, np.arange(3))
    run_fast(builder.build())
    script = (
        "import sys, numpy as np\n"
        "from archsim.sim.fast_engine import run_fast\n"
        "from archsim.task_graph import GraphBuilder\n"
        "builder = GraphBuilder()\n"
        "builder.add(builder.resource('r', 'p'), 2, 5, np.arange(3))\n"
        "print(run_fast(builder.build()).completed_cycles, 'numba' in sys.modules)"
    )
    later = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True)
    # the third task starts at 4 and takes 5 cycles
    assert later.stdout == "[9] False\n", later.stderr


def test_engines_are_chosen_by_size():
    assert choose_engine("auto", WORTH_COMPILED) is FastEngine
    assert choose_engine("auto", WORTH_COMPILED - 1) is EventEngine
    assert choose_engine("fast", 1) is FastEngine
    assert choose_engine("event", 10**9) is EventEngine


CASES = [
    *((path.stem, "ideal") for path in sorted(WORKLOADS.glob("*.trace"))),
    *((name, "whole") for name in ("bert_base", "gpt2_decode", "llama3_2_1b", "minilm")),
]


@pytest.mark.parametrize(("workload", "replication"), CASES)
def test_both_engines_agree_on_the_workloads(root, workload, replication):
    chips = 3 if workload.startswith("llama") else 1
    overrides = [f"system.chips={chips}", f"mapping.replication={replication}"]
    machine = load_hardware(root / "hwconfigs/hyflexpim.yaml", overrides)
    trace = read_trace(root / f"workloads/{workload}.trace")
    graph = lower(machine, trace, map_trace(machine, trace))
    event, fast = run_event(graph), run_fast(graph)
    np.testing.assert_array_equal(fast.start, event.start)
