"""What the schedule of a machine depends on: all of its description but for what things cost."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.cost.entry import Cost, Section
from archsim.task_graph import Edges, TaskGraph


def structure(value: Any) -> Hashable:
    """A section without its costs and sources; machines whose structures are equal have the same task graph.

    Mapping and lowering do not read costs (a test takes these away from under them), since a graph counts
    actions and prices none.
    """
    if isinstance(value, Cost):
        return None
    if isinstance(value, Section):
        fields = (name for name in type(value).model_fields if name != "sources")
        return type(value).__name__, tuple(structure(getattr(value, name)) for name in fields)
    if isinstance(value, dict):
        return tuple((name, structure(inner)) for name, inner in value.items())
    if isinstance(value, list | tuple):
        return tuple(map(structure, value))
    return value if isinstance(value, Hashable) else repr(value)


def timing_digest(graph: TaskGraph) -> bytes:
    """Everything in a graph but its counts of actions: graphs with equal digests run alike."""
    digest = hashlib.blake2b(digest_size=32)
    columns = ("resource", "turn", "occupancy", "latency", "operation", "token", "pu", "turns")
    for name in columns:
        _add(digest, getattr(graph, name))
    for edges in (graph.on_finish, graph.on_start):
        for name in Edges.__slots__:
            _add(digest, getattr(edges, name))
    digest.update(repr((graph.resources, graph.operations, graph.layers)).encode())
    return digest.digest()


def _add(digest: Any, array: NDArray[np.generic]) -> None:
    """Take up an array with its type and shape, so that no two lists of arrays look alike."""
    digest.update(f"{array.dtype.str}{array.shape}".encode())
    digest.update(np.ascontiguousarray(array))
