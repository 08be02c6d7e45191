"""What a run says about its queues and resources."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.errors import SimulationError
from archsim.sim.engines import choose_engine
from archsim.sim.event_engine import EventEngine, run_event
from archsim.task_graph import GraphBuilder


def test_utilisation_is_a_share_of_all_servers_of_all_copies():
    # r: 3 tasks of 4 cycles on 2 copies of 1 server: 0..4, 4..8 on one, 0..4 on the other: 12 of 16.
    # s: one task of 8 cycles from 0 on on 2 servers: 8 of 16
    builder = GraphBuilder()
    builder.add(builder.resource("r", "p", copies=2), 4, 4, np.arange(3))
    builder.add(builder.resource("s", "p", servers=2), 8, 8, np.arange(1))
    graph = builder.build()
    run = run_event(graph)
    assert run.end == 8
    assert run.queues.resource.tolist() == [0, 0, 1]
    assert run.queues.busy_cycles.tolist() == [8, 4, 8]
    assert run.queues.waiting_cycles.tolist() == [4, 0, 0]
    assert run.queues.longest.tolist() == [1, 0, 0]
    assert run.utilisation(graph).tolist() == [0.75, 0.5]
    assert run.busiest(graph) is graph.resources[0]


def test_tasks_that_still_wait_count_until_now():
    # interrupted at 4, when the first inference leaves: of three that entered at 0, the second starts at 4
    # and the third has waited for 4 cycles as well; the fourth enters at 4
    builder = GraphBuilder()
    builder.add(builder.resource("r", "p"), 4, 4, np.arange(1))
    engine = EventEngine(builder.build(), in_flight=3)
    engine.advance(1)
    run = engine.result()
    assert run.end == 4
    assert run.queues.waiting_cycles.tolist() == [8]
    assert run.queues.longest.tolist() == [2]


def test_engines_are_chosen_by_name():
    assert choose_engine("event", 1) is EventEngine
    with pytest.raises(
        SimulationError, match=r"there is no engine 'evnt'; engines are .*did you mean 'event'"
    ):
        choose_engine("evnt", 1)
