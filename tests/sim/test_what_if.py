"""The graph in which one class of resources is twice as fast."""

from __future__ import annotations

import numpy as np

from archsim.sim.what_if import twice_as_fast
from archsim.task_graph import GraphBuilder


def test_one_class_takes_half_the_cycles_rounded_up() -> None:
    builder = GraphBuilder()
    moved = builder.add(builder.resource("bus", "bus"), 5, 7, np.arange(2))
    builder.add(
        builder.resource("array", "analog"), np.array([10, 1]), np.array([25, 0]), np.arange(2), [moved]
    )
    graph = builder.build()
    faster = twice_as_fast(graph, "analog")
    # entry, two transfers, two MVMs, exit
    assert faster.occupancy.tolist() == [0, 5, 5, 5, 1, 0]
    assert faster.latency.tolist() == [0, 7, 7, 13, 0, 0]
    assert faster.occupancy.dtype == graph.occupancy.dtype
    assert graph.occupancy.tolist() == [0, 5, 5, 10, 1, 0]
    assert faster.on_finish is graph.on_finish
