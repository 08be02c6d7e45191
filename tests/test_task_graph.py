"""The graph builder: blocks of tasks, edges, rings, entry and exit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.task_graph import JOIN, GraphBuilder, Place, Resource


def tokens(count):
    return np.arange(count, dtype=np.int32)


def edges(edges):
    """Source, target, distance of each edge, sorted by source."""
    source = np.repeat(np.arange(len(edges.first) - 1), np.diff(edges.first))
    return list(zip(source.tolist(), edges.target.tolist(), edges.distance.tolist(), strict=True))


@pytest.fixture
def builder():
    return GraphBuilder()


def test_an_empty_graph_is_an_entry_and_an_exit(builder):
    graph = builder.build()
    assert len(graph) == 2
    assert (graph.entry, graph.exit) == (0, 1)
    assert edges(graph.on_finish) == [(0, 1, 0)]
    assert edges(graph.on_start) == []
    assert graph.operations == ("entry", "exit")


def test_tasks_are_numbered_in_the_order_of_blocks_and_tokens(builder):
    r = builder.resource("r", "p")
    a = builder.add(r, 1, 2, tokens(3))
    b = builder.join([a], tokens(3))
    assert a.tolist() == [1, 2, 3]
    assert b.tolist() == [4, 5, 6]
    assert a.dtype == np.int32
    assert builder.size == 7
    graph = builder.build()
    assert graph.resource.tolist() == [JOIN, r, r, r, JOIN, JOIN, JOIN, JOIN]
    assert graph.occupancy.tolist() == [0, 1, 1, 1, 0, 0, 0, 0]
    assert graph.latency.tolist() == [0, 2, 2, 2, 0, 0, 0, 0]
    assert graph.token.tolist() == [-1, 0, 1, 2, 0, 1, 2, -1]


def test_durations_may_differ_from_task_to_task(builder):
    builder.add(builder.resource("r", "p"), np.array([4, 5]), np.array([6, 7]), tokens(2))
    graph = builder.build()
    assert graph.occupancy[1:3].tolist() == [4, 5]
    assert graph.latency[1:3].tolist() == [6, 7]


def test_the_entry_leads_to_what_waits_for_nothing_and_the_exit_waits_for_what_leads_to_nothing(builder):
    r = builder.resource("r", "p")
    a = builder.add(r, 1, 1, tokens(2))
    b = builder.add(r, 1, 1, tokens(2), [a])
    graph = builder.build()
    assert edges(graph.on_finish) == [
        (0, a[0], 0),
        (0, a[1], 0),
        (0, graph.exit, 0),
        (a[0], b[0], 0),
        (a[1], b[1], 0),
        (b[0], graph.exit, 0),
        (b[1], graph.exit, 0),
    ]


def test_the_exit_waits_for_a_task_whose_start_is_all_that_others_wait_for(builder):
    r = builder.resource("r", "p")
    a = builder.add(r, 1, 1, tokens(1))
    b = builder.add(r, 1, 1, tokens(1))
    builder.edge(a, b, from_start=True)
    graph = builder.build()
    assert edges(graph.on_start) == [(1, 2, 0)]
    assert edges(graph.on_finish) == [(0, 1, 0), (0, 3, 0), (1, 3, 0), (2, 3, 0)]


def test_an_edge_to_a_later_inference_makes_no_task_wait_in_this_one(builder):
    a = builder.add(builder.resource("r", "p"), 1, 1, tokens(1))
    builder.edge(a, a, distance=2)
    graph = builder.build()
    assert edges(graph.on_finish) == [(0, 1, 0), (0, 2, 0), (1, 1, 2), (1, 2, 0)]


def test_a_wire_with_an_axis_more_is_a_task_that_waits_for_several(builder):
    r = builder.resource("r", "p")
    a = builder.add(r, 1, 1, tokens(4)).reshape(2, 2)
    b = builder.add(r, 1, 1, tokens(2), [a])
    inner = [edge for edge in edges(builder.build().on_finish) if edge[1] in b]
    assert inner == [(1, 5, 0), (2, 5, 0), (3, 6, 0), (4, 6, 0)]


def test_one_task_may_lead_to_all_of_a_block(builder):
    r = builder.resource("r", "p")
    a = builder.add(r, 1, 1, tokens(1))
    b = builder.add(r, 1, 1, tokens(2))
    builder.edge(a, b)
    assert (1, 2, 0) in edges(builder.build().on_finish)
    assert (1, 3, 0) in edges(builder.build().on_finish)


def test_minus_one_is_nothing_to_wait_for(builder):
    r = builder.resource("r", "p")
    a = builder.add(r, 1, 1, tokens(2))
    b = builder.add(r, 1, 1, tokens(2), [np.array([a[0], -1], dtype=np.int32)])
    inner = [edge for edge in edges(builder.build().on_finish) if edge[1] in b]
    assert inner == [(0, 4, 0), (1, 3, 0)]


@given(
    st.lists(st.tuples(st.integers(-1, 5), st.integers(-1, 5), st.integers(0, 2), st.booleans()), max_size=40)
)
def test_edges_are_kept_by_source_in_the_order_in_which_they_were_added(added):
    builder = GraphBuilder()
    builder.add(builder.resource("r", "r"), 1, 1, np.arange(5))
    for source, target, distance, from_start in added:
        builder.edge(np.array([source]), np.array([target]), from_start=from_start, distance=distance)
    graph = builder.build()
    for found, wanted_from_start in ((graph.on_finish, False), (graph.on_start, True)):
        for task in range(6):
            own = slice(found.first[task], found.first[task + 1])
            kept = list(zip(found.target[own].tolist(), found.distance[own].tolist(), strict=True))
            wanted = [
                (target, distance)
                for source, target, distance, from_start in added
                if source == task and target >= 0 and from_start == wanted_from_start
            ]
            # the entry's and the exit's edges come after those that were added
            assert kept[: len(wanted)] == wanted
            assert all(distance == 0 for _, distance in kept[len(wanted) :])


def test_a_ring_of_fewer_slots_than_tokens(builder):
    # two slots, five tokens: token 2 waits for 0, 3 for 1, 4 for 2; tokens 0 and 1 of the next inference
    # are the sixth and seventh, they wait for tokens 3 and 4
    a = builder.add(builder.resource("r", "p"), 1, 1, tokens(5))
    builder.ring(a, a, 2, from_start=True)
    assert edges(builder.build().on_start) == [(1, 3, 0), (2, 4, 0), (3, 5, 0), (4, 1, 1), (5, 2, 1)]


def test_a_ring_of_as_many_slots_as_tokens(builder):
    a = builder.add(builder.resource("r", "p"), 1, 1, tokens(3))
    builder.ring(a, a, 3, from_start=True)
    assert edges(builder.build().on_start) == [(1, 1, 1), (2, 2, 1), (3, 3, 1)]


@given(count=st.integers(1, 7), depth=st.integers(1, 20), inferences=st.integers(1, 8))
def test_a_ring_counts_tokens_through_the_inferences(count, depth, inferences):
    builder = GraphBuilder()
    a = builder.add(builder.resource("r", "p"), 1, 1, tokens(count))
    builder.ring(a, a, depth, from_start=True)
    waits = {
        (i + distance) * count + target - 1: i * count + source - 1
        for source, target, distance in edges(builder.build().on_start)
        for i in range(inferences - distance)
    }
    # the n-th token of the stream waits for the one ``depth`` before it
    assert waits == {n: n - depth for n in range(depth, inferences * count)}


def test_a_ring_without_tokens_is_nothing(builder):
    none = np.zeros(0, dtype=np.int32)
    builder.ring(none, none, 4)
    assert edges(builder.build().on_finish) == [(0, 1, 0)]


def test_tasks_are_dealt_to_copies_in_turn_block_after_block(builder):
    r = builder.resource("r", "p", copies=3)
    s = builder.resource("s", "p")
    builder.add(r, 1, 1, tokens(4))
    builder.add(s, 1, 1, tokens(2))
    builder.add(r, 1, 1, tokens(1))
    graph = builder.build()
    assert graph.turn.tolist() == [0, 0, 1, 2, 3, 0, 0, 4, 0]
    assert graph.turns.tolist() == [5, 0]


def test_a_resource_is_named_after_its_place_and_made_once(builder):
    shared = builder.resource("bus", "global_bus")
    builder.place = Place(chip=1, pu=3)
    first = builder.resource("sfu", "sfu", servers=2)
    again = builder.resource("sfu", "sfu", servers=2)
    builder.add(first, 1, 1, tokens(1))
    graph = builder.build()
    assert (shared, first, again) == (0, 1, 1)
    assert graph.resources == (
        Resource("chip0.bus", "global_bus", Place(0, -1)),
        Resource("chip1.pu3.sfu", "sfu", Place(1, 3), servers=2),
    )
    assert graph.pu.tolist() == [-1, 3, 3]


def test_busy_cycles_add_up_by_resource(builder):
    r, s = builder.resource("r", "p", copies=2), builder.resource("s", "p")
    builder.resource("idle", "p")
    builder.add(r, np.array([3, 4]), 9, tokens(2))
    builder.add(s, 5, 5, tokens(3))
    assert builder.build().busy_cycles().tolist() == [7, 15, 0]


def test_actions_are_counted_for_all_tasks_or_for_each(builder):
    actions = {"read": 2, "convert": np.array([1.0, 5.0])}
    builder.add(builder.resource("r", "p"), 1, 1, tokens(2), actions=actions)
    read, convert = builder.build().actions
    assert (read.first, read.tasks, read.action, read.total) == (1, 2, "read", 4)
    assert (convert.action, convert.total) == ("convert", 6)


def test_tasks_are_described_by_operation_token_and_resource(builder):
    builder.begin_operation("l3.ffn1", 3)
    builder.add(builder.resource("analog", "analog"), 1, 1, np.array([17]))
    builder.join([], np.array([-1]))
    graph = builder.build()
    assert graph.describe_task(1) == "l3.ffn1 of token 17 on chip0.analog"
    assert graph.describe_task(2) == "l3.ffn1 (a join)"
    assert graph.describe_task(graph.exit) == "exit (a join)"
    assert graph.operations == ("entry", "l3.ffn1", "exit")
    assert graph.layers == (-1, 3, -1)
