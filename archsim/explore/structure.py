"""What the schedule of a machine depends on: all of its description but for what things cost."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from archsim.cost.entry import PLAIN, Cost, Section
from archsim.graph_blocks import Edges
from archsim.task_graph import TaskGraph


def structure(value: Any) -> Hashable:
    """A section without its costs and sources; machines whose structures are equal have the same task graph.

    Mapping and lowering do not read costs (a test takes these away from under them), since a graph counts
    actions and prices none.
    """
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, Cost):
        return None
    if isinstance(value, Section):
        fields = vars(value).items()
        return type(value).__name__, tuple(structure(inner) for name, inner in fields if name != "sources")
    if isinstance(value, dict):
        return tuple((name, structure(inner)) for name, inner in value.items())
    if isinstance(value, list | tuple):
        return tuple(map(structure, value))
    return value if isinstance(value, Hashable) else repr(value)


@dataclass(frozen=True, eq=False)
class Timing:
    """Everything in a graph but its counts of actions: graphs whose timings are equal run alike."""

    graph: TaskGraph

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        """Of sizes and of sums of durations, so that timings which are not equal are seldom compared."""
        return hash((*self._sizes(), int(self.graph.latency.sum()), int(self.graph.occupancy.sum())))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Timing):
            return NotImplemented
        one, two = self.graph, other.graph
        # durations first: in most sweeps it is these that differ, and the rest need not be looked at
        columns = ("latency", "occupancy", "resource", "turn", "operation", "token", "pu", "turns")
        return (
            self._sizes() == other._sizes()
            and all(np.array_equal(getattr(one, name), getattr(two, name)) for name in columns)
            and all(
                np.array_equal(getattr(edges, name), getattr(others, name))
                for edges, others in ((one.on_finish, two.on_finish), (one.on_start, two.on_start))
                for name in Edges.__slots__
            )
            and (one.resources, one.operations, one.layers) == (two.resources, two.operations, two.layers)
        )

    def _sizes(self) -> tuple[int, ...]:
        graph = self.graph
        return len(graph), len(graph.on_finish.target), len(graph.on_start.target), len(graph.resources)
