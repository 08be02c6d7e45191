"""What a run says about its queues and resources."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.errors import SimulationError
from archsim.sim.engines import choose_engine
from archsim.sim.event_engine import EventEngine
from archsim.task_graph import GraphBuilder


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
