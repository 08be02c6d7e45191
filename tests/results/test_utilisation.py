"""Utilisation by class and layer, and traffic."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.results.energy import action_counts
from archsim.results.utilisation import traffic_bytes, utilisation
from archsim.task_graph import GraphBuilder, Place, TaskGraph


@pytest.fixture
def graph() -> TaskGraph:
    """Three tokens through two layers: 10 cycles on two copies of an own array, 4 on a shared bus."""
    graph = GraphBuilder()
    tokens = np.arange(3)
    before = np.full(3, -1, dtype=np.int32)
    for layer in range(2):
        graph.place = Place(0, layer)
        graph.begin_operation(f"l{layer}.q", layer)
        array = graph.resource("array", "array", copies=2)
        before = graph.add(array, 10, 10, tokens, [before], {"array.read": 1.0})
        graph.place = Place()
        before = graph.add(graph.resource("bus", "bus"), 4, 4, tokens, [before], {"bus.bit": 64.0})
    graph.begin_operation("output", None)
    graph.add(graph.resource("bus", "bus"), 2, 2, tokens, [before], {"bus.bit": 32.0})
    return graph.build()


def test_utilisation_by_class(graph: TaskGraph) -> None:
    # 100 cycles between two inferences: 2 x 3 x 10 of 2 x 2 x 100; 2 x 3 x 4 + 3 x 2 of 100
    assert utilisation(graph, 100).by_class == pytest.approx({"array": 0.15, "bus": 0.30})


def test_utilisation_by_layer(graph: TaskGraph) -> None:
    # a layer has its own two copies, and a share of the one bus
    layer = pytest.approx({"array": 0.15, "bus": 0.12})
    assert utilisation(graph, 100).by_layer == {"l0": layer, "l1": layer, "outside": {"bus": 0.06}}


def test_layers_share_what_the_class_has(graph: TaskGraph) -> None:
    shares = utilisation(graph, 100)
    assert sum(row["bus"] for row in shares.by_layer.values()) == pytest.approx(shares.by_class["bus"])


def test_tasks_that_come_by_turns_are_summed_up_all_the_same() -> None:
    """Two tokens of 3 and 5 cycles by turns on two resources: 6 and 10 of 20 cycles; joins hold nothing."""
    graph = GraphBuilder()
    token, before = np.arange(1), np.full(1, -1, dtype=np.int32)
    graph.begin_operation("add", None)
    for _ in range(2):
        for name, cycles in (("left", 3), ("right", 5)):
            before = graph.join(
                [graph.add(graph.resource(name, name), cycles, cycles, token, [before])], token
            )
    shares = {"left": 0.3, "right": 0.5}
    assert utilisation(graph.build(), 20) == (shares, {"outside": shares})


def test_traffic(graph: TaskGraph) -> None:
    # 3 tokens of 8 bytes in each of two layers, and of 4 bytes at the end
    assert traffic_bytes(action_counts(graph)) == {"bus": 60.0}
