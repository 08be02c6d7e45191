"""Blocks of a graph in the making: when one stretch is a copy of another, and what repeating it adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from archsim.cost.entry import Charge
from archsim.graph_blocks import ActionCount, Copied, Copy, EdgeRows, sorted_edges
from archsim.results.energy import action_counts, dynamic_energy, task_energy
from archsim.task_graph import JOIN, GraphBuilder, Place, TaskGraph, Wire

TOKENS = np.arange(3, dtype=np.int32)
TASKS = 12
"""Tasks of a layer: for each of three tokens a transfer, an MVM, a word on the chip's bus and a join."""


@dataclass(frozen=True)
class Layer:
    """What one layer adds to a graph, and what may be different about it.

    Args: source, target: the token for whose word on the bus, ``distance`` inferences before, the MVM of
        another one waits; end: by how many PUs the join at the end stands elsewhere.
    """

    number: int
    name: str = "w"
    pu: int = 0
    array: str = "array"
    duration: int = 4
    latency: int | NDArray[Any] = 6
    token: int = 0
    source: int = 2
    target: int = 0
    distance: int = 1
    from_start: bool = False
    action: str = "read"
    count: float | NDArray[Any] = 5.0
    end: int = 0
    more: bool = False

    def add(self, builder: GraphBuilder, operand: Wire) -> Wire:
        """Move the operand out of the PU before, multiply, and put the result on the chip's bus."""
        tokens, here = TOKENS + self.token, self.number + self.pu
        builder.begin_operation(f"l{self.number}.{self.name}", self.number)
        builder.place = Place(0, here - 1)
        moved = builder.add(builder.resource("lane", "lane", copies=2), 2, 3, tokens, [operand])
        builder.place = Place(0, here)
        array = builder.resource(f"{self.array}.l{self.number}.w", "array", copies=2)
        made = builder.add(array, self.duration, self.latency, tokens, [moved], {self.action: self.count})
        builder.place = Place(0)
        # the first token has nothing to wait for
        chain = np.array([-1, *made[:2]], dtype=np.int32)
        words = np.array([1.0, 2.0, 3.0])
        put = builder.add(builder.resource("bus", "bus"), 1, 1, tokens, [made, chain], {"word": words})
        source, target = put[[self.source]], made[[self.target]]
        builder.edge(source, target, from_start=self.from_start, distance=self.distance)
        builder.place = Place(0, self.number + self.end)
        end = builder.join([put], tokens)
        if self.more:
            builder.join([put], tokens)
        return builder.span(moved, end)


def layer_copy(source: int, target: int) -> Copy:
    """What a layer is in another one's place."""
    ahead = target - source
    return Copy(ahead, ahead, lambda name: name.replace(f"l{source}.", f"l{target}."))


def stacked(*layers: Layer, repeated: int = 0) -> tuple[GraphBuilder, Wire]:
    """Layers one after the other, the last one ``repeated``; and the joins of the last copy."""
    builder = GraphBuilder()
    done = np.full(3, -1, dtype=np.int32)
    for layer in layers:
        begin = builder.mark()
        done = layer.add(builder, done)
    if repeated:
        number = layers[-1].number
        builder.repeat(begin, [layer_copy(number, number + ahead) for ahead in range(1, repeated + 1)])
        done = done + TASKS * np.int32(repeated)
    return builder, done


def finished(builder: GraphBuilder, done: Wire) -> TaskGraph:
    """The graph with one more block: what comes after the layers begins and deals on where they end."""
    builder.begin_operation("out", None)
    builder.place = Place(0, 5)
    lane = builder.resource("lane", "lane", copies=2)
    out = builder.add(lane, 1, 1, TOKENS, [done], {"read": 2.0})
    # a ring takes the begin of the span that ends with the layer
    builder.ring(out, done, 2)
    return builder.build()


def plain() -> TaskGraph:
    return finished(*stacked(*(Layer(number) for number in range(1, 6))))


def repeated() -> TaskGraph:
    return finished(*stacked(*(Layer(number) for number in range(1, 4)), repeated=2))


def is_copy(new: Layer) -> bool:
    """Whether ``new``, which follows on two plain layers, is a copy of the second one."""
    builder, done = stacked(Layer(1))
    earlier = builder.mark()
    done = Layer(2).add(builder, done)
    begin = builder.mark()
    new.add(builder, done)
    return builder.is_copy(earlier, begin, layer_copy(3, 2))


def test_an_equal_layer_is_a_copy() -> None:
    assert is_copy(Layer(3))


@pytest.mark.parametrize(
    "change",
    [
        {"name": "v"},
        {"pu": 1},
        {"array": "other"},
        {"duration": 5},
        {"latency": 7},
        {"latency": np.array([6, 6, 7])},
        {"token": 1},
        {"source": 1},
        {"target": 1},
        {"distance": 2},
        {"from_start": True},
        {"action": "write"},
        {"count": 4.0},
        {"count": np.array([5.0, 5.0, 4.0])},
        {"end": 1},
        {"more": True},
    ],
    ids=str,
)
def test_a_layer_that_differs_in_one_thing_is_no_copy(change: dict[str, object]) -> None:
    assert not is_copy(replace(Layer(3), **change))  # type: ignore[arg-type]


def test_a_layer_in_another_place_of_the_model_is_no_copy() -> None:
    builder, done = stacked(Layer(1))
    earlier = builder.mark()
    done = Layer(2).add(builder, done)
    begin = builder.mark()
    Layer(3).add(builder, done)
    copy = layer_copy(3, 2)
    assert not builder.is_copy(earlier, begin, replace(copy, layers=-2))
    assert not builder.is_copy(earlier, begin, replace(copy, pus=-2))
    assert not builder.is_copy(earlier, begin, replace(copy, name=str))


def test_the_first_layer_is_no_copy_where_it_waits_for_nothing() -> None:
    builder = GraphBuilder()
    earlier = builder.mark()
    done = Layer(1).add(builder, np.full(3, -1, dtype=np.int32))
    begin = builder.mark()
    Layer(2).add(builder, done)
    assert not builder.is_copy(earlier, begin, layer_copy(2, 1))


def test_turns_that_go_on_are_no_copy() -> None:
    """Both stretches deal to one resource of two copies: turns 0, 1, 2 and then 3, 4, 5."""
    builder = GraphBuilder()
    builder.begin_operation("w", 0)
    earlier = builder.mark()
    builder.add(builder.resource("r", "p", copies=2), 1, 1, TOKENS)
    begin = builder.mark()
    builder.add(builder.resource("r", "p", copies=2), 1, 1, TOKENS)
    assert not builder.is_copy(earlier, begin, Copy(0, 0, str))


def test_a_resource_that_the_earlier_stretch_lacks_is_no_copy_of_a_join() -> None:
    builder = GraphBuilder()
    earlier = builder.mark()
    builder.place = Place(0, 1)
    builder.begin_operation("l1.w", 1)
    builder.join([], TOKENS)
    begin = builder.mark()
    builder.place = Place(0, 2)
    builder.begin_operation("l2.w", 2)
    builder.add(builder.resource("free", "p"), 0, 0, TOKENS)
    assert not builder.is_copy(earlier, begin, layer_copy(2, 1))


def test_a_graph_with_copies_is_the_graph_built_layer_by_layer() -> None:
    one, other = repeated(), plain()
    for name in ("resource", "turn", "occupancy", "latency", "operation", "token", "pu", "turns"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name)
    for edges, others in ((one.on_finish, other.on_finish), (one.on_start, other.on_start)):
        np.testing.assert_array_equal(edges.first, others.first)
        np.testing.assert_array_equal(edges.target, others.target)
        np.testing.assert_array_equal(edges.distance, others.distance)
    assert one.resources == other.resources
    assert one.operations == other.operations
    assert one.layers == other.layers


def test_copies_have_their_own_tasks() -> None:
    """Layer n has the tasks 12 n - 11 to 12 n: three each of transfers, MVMs, words and joins."""
    graph = repeated()
    fifth = slice(5 * TASKS - 11, 5 * TASKS + 1)
    resources = graph.resource[fifth].tolist()
    names = [graph.resources[resource].name if resource != JOIN else "" for resource in resources]
    lane, array = "chip0.pu4.lane", "chip0.pu5.array.l5.w"
    assert names == [lane] * 3 + [array] * 3 + ["chip0.bus"] * 3 + [""] * 3
    assert [graph.operations[operation] for operation in graph.operation[fifth]] == ["l5.w"] * 12
    assert graph.pu[fifth].tolist() == [4] * 3 + [5] * 3 + [-1] * 3 + [5] * 3
    assert graph.token[fifth].tolist() == [0, 1, 2] * 4
    assert graph.occupancy[fifth].tolist() == [2] * 3 + [4] * 3 + [1] * 3 + [0] * 3
    assert graph.latency[fifth].tolist() == [3] * 3 + [6] * 3 + [1] * 3 + [0] * 3


def test_a_resource_of_a_pu_is_copied_with_its_place_and_one_of_the_chip_is_not() -> None:
    resources = {resource.name: resource for resource in repeated().resources}
    array = resources["chip0.pu5.array.l5.w"]
    assert (array.part, array.place, array.copies) == ("array", Place(0, 5), 2)
    assert [name for name in resources if "bus" in name] == ["chip0.bus"]


def test_edges_of_copies_lead_to_copies() -> None:
    """The first MVM of layer 5 is task 52; it leads to its word, 55, and to that of the next token, 56.

    Nothing else leads to 55: an edge from nowhere stays one. The last word, 57, leads to its join, and to
    the first MVM of the next inference.
    """
    graph = repeated()

    def from_task(task: int) -> set[tuple[int, int]]:
        edges = slice(*graph.on_finish.first[task : task + 2].tolist())
        targets, distances = graph.on_finish.target[edges], graph.on_finish.distance[edges]
        return set(zip(targets.tolist(), distances.tolist(), strict=True))

    assert from_task(52) == {(55, 0), (56, 0)}
    assert from_task(57) == {(60, 0), (52, 1)}
    assert [task for task in range(len(graph)) if (55, 0) in from_task(task)] == [52]


def test_copies_deal_tasks_to_the_copies_of_their_resources() -> None:
    """Each lane carries three operands to the next PU, the last one those that leave."""
    graph = repeated()
    turns = {resource.name: turn for resource, turn in zip(graph.resources, graph.turns, strict=True)}
    assert turns == {
        "chip0.bus": 0,
        **{f"chip0.pu{pu}.lane": 3 for pu in range(6)},
        **{f"chip0.pu{number}.array.l{number}.w": 3 for number in range(1, 6)},
    }


def test_turns_of_a_resource_of_the_earlier_layer_go_on() -> None:
    """Layer 2 is dealt turns 3 to 5 of the lane that layer 1 used, and so on to layer 4, the last copy."""
    builder = GraphBuilder()
    for number in range(1, 4):
        begin = builder.mark()
        builder.begin_operation(f"l{number}.w", number)
        for pu in (number - 1, number):
            builder.place = Place(0, pu)
            builder.add(builder.resource("lane", "lane", copies=2), 1, 1, TOKENS)
    builder.repeat(begin, [layer_copy(3, 4)])
    builder.place = Place(0, 4)
    builder.add(builder.resource("lane", "lane", copies=2), 1, 1, TOKENS)
    graph = builder.build()
    turns = {resource.name: turn for resource, turn in zip(graph.resources, graph.turns, strict=True)}
    assert turns == {f"chip0.pu{pu}.lane": 3 if pu == 0 else 6 for pu in range(5)}
    # entry, four layers of six tasks; what follows goes on where layer 4 has stopped
    assert graph.turn[1 + 3 * 6 : 1 + 4 * 6].tolist() == [3, 4, 5, 0, 1, 2]
    assert graph.turn[1 + 4 * 6 : -1].tolist() == [3, 4, 5]


def test_spans_of_copies_begin_in_the_copies() -> None:
    """The joins of layer 5 are tasks 58 to 60, which finish what the transfers 49 to 51 begin."""
    builder, done = stacked(Layer(1), Layer(2), Layer(3), repeated=2)
    assert done.tolist() == [58, 59, 60]
    assert builder.begin_of(done).tolist() == [49, 50, 51]
    assert builder.begin_of(np.array([52, -1], dtype=np.int32)).tolist() == [52, -1]
    # what comes after the copies has begins of its own
    after = builder.join([done], TOKENS)
    assert builder.begin_of(after).tolist() == after.tolist()
    assert builder.begin_of(builder.span(done, after)).tolist() == [58, 59, 60]


def test_operations_of_copies_are_in_their_layers() -> None:
    graph = repeated()
    assert graph.operations == ("entry", "l1.w", "l2.w", "l3.w", "l4.w", "l5.w", "out", "exit")
    assert graph.layers == (-1, 1, 2, 3, 4, 5, -1, -1)


def test_operations_and_resources_without_tasks_are_copied() -> None:
    """Nobody takes part in the operation: its resource is there all the same."""
    builder = GraphBuilder()
    begin = builder.mark()
    builder.begin_operation("l1.last", 1)
    builder.place = Place(0, 1)
    builder.resource("array", "array")
    builder.repeat(begin, [layer_copy(1, 2)])
    graph = builder.build()
    assert graph.operations == ("entry", "l1.last", "l2.last", "exit")
    assert [resource.name for resource in graph.resources] == ["chip0.pu1.array", "chip0.pu2.array"]


def test_a_stretch_can_be_repeated_again() -> None:
    """As of a second phase: operations and resources of the copies are there already."""
    builders = []
    for copies in (0, 2):
        builder = GraphBuilder()
        for _ in range(2):
            done = np.full(3, -1, dtype=np.int32)
            for number in range(1, 6 - copies):
                begin = builder.mark()
                done = Layer(number).add(builder, done)
            if copies:
                builder.repeat(begin, [layer_copy(3, 4), layer_copy(3, 5)])
        builders.append(builder.build())
    one, other = builders
    assert one.operations == other.operations
    assert one.resources == other.resources
    for name in ("resource", "turn", "operation", "turns"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name)


@pytest.mark.parametrize(
    ("count", "total"),
    # of two tasks and three copies: 2 * 5 * 3, and (1 + 2) * 3
    [(5.0, 30), (np.array([1.0, 2.0]), 9)],
    ids=["one number", "one each"],
)
def test_a_count_stands_for_its_copies(count: float | NDArray[Any], total: float) -> None:
    counted = ActionCount(10, 2, "read", count, copies=3, stride=7)
    assert counted.total == total
    assert counted.firsts.tolist() == [10, 17, 24]
    apart = list(counted.apart())
    assert [(each.first, each.tasks, each.copies, each.stride) for each in apart] == [
        (10, 2, 1, 0),
        (17, 2, 1, 0),
        (24, 2, 1, 0),
    ]
    assert all(each.action == "read" and each.count is count for each in apart)
    assert sum(each.total for each in apart) == total


def test_a_count_without_copies_is_one() -> None:
    counted = ActionCount(10, 2, "read", 5.0)
    assert (counted.total, counted.firsts.tolist()) == (10, [10])
    assert list(counted.apart()) == [counted]


def test_copies_spend_what_layers_spend() -> None:
    """Each of five layers does 5 reads for each of 3 tokens, at 2 + 1 pJ, and 1 + 2 + 3 words, at 4 pJ.

    At the end there are 2 more reads a token: 3 * 5 * 3 + 6 * 4 = 69 pJ a layer, 3 * 2 * 3 = 18 pJ the end.
    """
    charges = {"read": (Charge("array", 2), Charge("adc", 1)), "word": (Charge("bus", 4),)}
    one, other = repeated(), plain()
    counts = action_counts(one)
    assert counts == action_counts(other) == {"read": 5 * 15 + 6, "word": 5 * 6}
    energy = dynamic_energy(one, counts, charges)
    assert energy == dynamic_energy(other, counts, charges)
    assert energy.by_component == {"array": 81 * 2, "adc": 81, "bus": 30 * 4}
    assert energy.by_operation == {"w": 5 * 69, "out": 18}
    assert energy.by_layer == {**{f"l{number}": 69 for number in range(1, 6)}, "outside": 18}
    spent = task_energy(one, charges)
    np.testing.assert_array_equal(spent, task_energy(other, charges))
    assert spent[49:61].tolist() == [0, 0, 0, 15, 15, 15, 4, 8, 12, 0, 0, 0]


def naively_sorted(edges: EdgeRows, copied: Sequence[Copied]) -> list[tuple[int, int, int]]:
    """All edges as they were added, copies behind what they are copies of, and then by source."""
    rows = list(zip(*(column.tolist() for column in edges), strict=True))
    added, done = [], 0
    for begin, end, copies, _, tasks in copied:
        added += rows[done:end]
        for ahead in range(tasks, (copies + 1) * tasks, tasks):
            added += [(source + ahead, target + ahead, far) for source, target, far in rows[begin:end]]
        done = end
    return sorted([*added, *rows[done:]], key=lambda row: row[0])


@given(st.data())
def test_edges_and_their_copies_are_sorted_by_source(data: st.DataObject) -> None:
    """Two stretches with copies: 5 tasks before, stretches of 4 and 3, and 2 tasks between and behind."""
    copies = [data.draw(st.integers(1, 4)) for _ in range(2)]
    begins = [5, 5 + 4 * (1 + copies[0]) + 2]
    tasks = begins[1] + 3 * (1 + copies[1]) + 2

    def drawn(first: int, end: int) -> list[tuple[int, int, int]]:
        task = st.integers(first, end - 1)
        return data.draw(st.lists(st.tuples(task, task, st.integers(0, 2)), max_size=6))

    rows, copied = drawn(0, begins[0]), []
    for first, count, length, back in zip(begins, copies, (4, 3), (5, 8), strict=True):
        own = drawn(first - back, first + length)
        copied.append(Copied(len(rows), len(rows) + len(own), count, first, length))
        rows += own
        rows += drawn(0, first + length * (1 + count) + 2)
    columns = np.array(rows, dtype=np.int32).reshape(-1, 3).T
    edges = EdgeRows(*np.ascontiguousarray(columns))
    found = sorted_edges(edges, tasks, copied)
    source = np.repeat(np.arange(tasks), np.diff(found.first))
    assert [*zip(source, found.target, found.distance, strict=True)] == naively_sorted(edges, copied)
