"""Tasks that wait for each other are an error that names them."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.errors import SimulationError
from archsim.sim.event_engine import EventEngine, run_event
from archsim.task_graph import GraphBuilder

TAIL = "; a buffer that is too small for what has to be in it at once does this"


def message(graph, **options):
    with pytest.raises(SimulationError) as error:
        run_event(graph, **options)
    return str(error.value)


def test_a_cycle_is_named_operation_by_operation():
    builder = GraphBuilder()
    token = np.array([3])
    wires = []
    for name in ("l0.q", "l0.k", "l0.scores"):
        builder.begin_operation(name, 0)
        wires.append(builder.add(builder.resource(name[3:], "p"), 1, 1, token, wires[-1:]))
    builder.edge(wires[2], wires[1], from_start=True)
    # the exit waits for scores, so it is the third that can never start
    assert message(builder.build()) == (
        "3 of 5 tasks can never start, because some wait for each other (a <- b: a waits for b): "
        "l0.k of token 3 on chip0.k <- l0.scores of token 3 on chip0.scores <- l0.k of token 3 on chip0.k"
        + TAIL
    )


def test_a_task_that_waits_for_itself_is_named_although_the_exit_does_not_wait_for_it():
    builder = GraphBuilder()
    builder.begin_operation("loop", None)
    task = builder.add(builder.resource("r", "p"), 1, 1, np.array([-1]))
    builder.edge(task, task)
    # nothing but itself waits for the task, so that the exit is free to leave
    assert message(builder.build()) == (
        "1 of 3 tasks can never start, because some wait for each other (a <- b: a waits for b): "
        "loop on chip0.r <- loop on chip0.r" + TAIL
    )


def test_a_buffer_too_small_for_all_keys_is_found_and_a_long_cycle_is_cut():
    # scores of any token wait for all 16 keys, but a key's slot is released by its scores: with 15 slots
    # the last key waits for the first scores, and these for the last key
    builder = GraphBuilder()
    token = np.arange(16, dtype=np.int32)
    builder.begin_operation("k", None)
    keys = builder.add(builder.resource("r", "p"), 1, 1, token)
    builder.begin_operation("all_keys", None)
    join = builder.join([keys[None, :]], np.array([-1]))
    builder.begin_operation("scores", None)
    scores = builder.add(builder.resource("s", "p"), 1, 1, token, [np.broadcast_to(join, token.shape)])
    builder.ring(scores, keys, 15)
    # never ready: the last key, the join, 16 scores, the exit
    assert message(builder.build()) == (
        "19 of 35 tasks can never start, because some wait for each other (a <- b: a waits for b): "
        "k of token 15 on chip0.r <- scores of token 0 on chip0.s <- all_keys (a join) "
        "<- k of token 15 on chip0.r" + TAIL
    )
    chain = GraphBuilder()
    wires = chain.add(chain.resource("r", "p"), 1, 1, token)
    chain.edge(wires, np.roll(wires, -1))
    assert "8 more tasks <- entry of token 0 on chip0.r" in message(chain.build())


def test_a_stream_that_stops_is_an_error_too():
    builder = GraphBuilder()
    task = builder.add(builder.resource("r", "p"), 1, 1, np.array([0]))
    builder.edge(task, task, from_start=True)
    with pytest.raises(SimulationError, match="2 of 3 tasks can never start"):
        EventEngine(builder.build(), in_flight=2).advance(3)
