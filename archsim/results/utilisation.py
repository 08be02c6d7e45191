"""Utilisation: for which share of a stream's time resources are held, by class and by layer; traffic."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from archsim.results.energy import OUTSIDE
from archsim.task_graph import TaskGraph

MOVED_BIT = ".bit"
"""The last word of the actions by which media count the bits that they move."""

_CHUNK = 1 << 20  # tasks that are summed up at a time, which bounds the memory


def utilisation(graph: TaskGraph, interval_cycles: float) -> dict[str, float]:
    """Share of the stream's time for which the servers of each class are held, of those that are used.

    Args: interval_cycles: between two inferences.
    """
    busy: dict[str, float] = {}
    servers: dict[str, int] = {}
    cycles_of = _busy_cycles(graph, np.zeros(len(graph.operations), dtype=np.int64), 1)[0]
    for resource, cycles in zip(graph.resources, cycles_of.tolist(), strict=True):
        busy[resource.part] = busy.get(resource.part, 0.0) + cycles
        servers[resource.part] = servers.get(resource.part, 0) + resource.servers * resource.copies
    return {part: busy[part] / (servers[part] * interval_cycles) for part in sorted(busy)}


def utilisation_by_layer(graph: TaskGraph, interval_cycles: float) -> dict[str, dict[str, float]]:
    """Of each layer, the share of the stream's time for which it holds the servers that it uses, by class.

    A server that layers share counts in each of them, with the time for which that layer holds it.
    Args: interval_cycles: between two inferences.
    """
    layers = sorted(set(graph.layers), key=lambda layer: (layer < 0, layer))
    row_of = np.array([layers.index(layer) for layer in graph.layers], dtype=np.int64)
    servers = [resource.servers * resource.copies for resource in graph.resources]
    table: dict[str, dict[str, float]] = {}
    for layer, busy in zip(layers, _busy_cycles(graph, row_of, len(layers)), strict=True):
        held: dict[str, float] = {}
        used: dict[str, int] = {}
        for index in np.flatnonzero(busy).tolist():
            part = graph.resources[index].part
            held[part] = held.get(part, 0.0) + float(busy[index])
            used[part] = used.get(part, 0) + servers[index]
        if held:
            row = OUTSIDE if layer < 0 else f"l{layer}"
            table[row] = {part: held[part] / (used[part] * interval_cycles) for part in sorted(held)}
    return table


def traffic_bytes(counts: Mapping[str, float]) -> dict[str, float]:
    """Bytes that one inference moves over each class of media.

    Args: counts: how often it does each action.
    """
    moved = {name: count / 8 for name, count in counts.items() if name.endswith(MOVED_BIT)}
    return {name.removesuffix(MOVED_BIT): moved[name] for name in sorted(moved)}


def _busy_cycles(graph: TaskGraph, row_of: NDArray[np.int64], rows: int) -> NDArray[np.float64]:
    """(rows, resources) cycles for which the tasks of each row of operations hold each resource.

    Args: row_of: (operations,).
    """
    # joins, whose resource is -1, stand in the first column of their row, which is left out
    width = len(graph.resources) + 1
    begin = 1 + row_of * width
    busy = np.zeros(rows * width)
    for first in range(0, len(graph), _CHUNK):
        some = slice(first, first + _CHUNK)
        cell = begin[graph.operation[some]] + graph.resource[some]
        busy += np.bincount(cell, graph.occupancy[some], len(busy))
    return busy.reshape(rows, width)[:, 1:]
