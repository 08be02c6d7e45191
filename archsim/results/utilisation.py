"""Utilisation: for which share of a stream's time resources are held, by class and by layer; traffic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim.results.energy import layer_rows
from archsim.task_graph import TaskGraph

MOVED_BIT = ".bit"
"""The last word of the actions by which media count the bits that they move."""


class Utilisation(NamedTuple):
    """Shares of a stream's time, by class of resources.

    Args: by_class: for which the servers of each class are held, of those that are used; by_layer: of each
        layer, for which it holds the servers that it uses. A server that layers share counts in each of
        them, with the time for which that layer holds it.
    """

    by_class: dict[str, float]
    by_layer: dict[str, dict[str, float]]


def utilisation(graph: TaskGraph, interval_cycles: float) -> Utilisation:
    """The shares for one inference every ``interval_cycles``."""
    layers, layer_of = layer_rows(graph.layers)
    part_names = [resource.part for resource in graph.resources]
    parts = sorted(set(part_names))
    columns = {part: column for column, part in enumerate(parts)}
    part_of = [columns[part] for part in part_names]
    servers = np.zeros((len(graph.resources), len(parts)))
    servers[np.arange(len(part_of)), part_of] = [each.servers * each.copies for each in graph.resources]
    busy = _busy_cycles(graph, layer_of, len(layers))
    # sums of whole numbers, which products of matrices add up without a loss
    held, used = busy @ (servers > 0), (busy > 0) @ servers
    shares = np.divide(held, used * interval_cycles, where=used > 0, out=np.zeros_like(held))
    of_all = held.sum(axis=0) / (servers.sum(axis=0) * interval_cycles)
    rows = zip(layers, shares.tolist(), used.tolist(), strict=True)
    return Utilisation(
        dict(zip(parts, of_all.tolist(), strict=True)),
        {
            layer: {part: share for part, share, count in zip(parts, row, counts, strict=True) if count}
            for layer, row, counts in rows
            if any(counts)
        },
    )


def traffic_bytes(counts: Mapping[str, float]) -> dict[str, float]:
    """Bytes that one inference moves over each class of media.

    Args: counts: how often it does each action.
    """
    moved = {name: count / 8 for name, count in counts.items() if name.endswith(MOVED_BIT)}
    return {name.removesuffix(MOVED_BIT): moved[name] for name in sorted(moved)}


def _busy_cycles(graph: TaskGraph, layer_of: NDArray[np.int64], layers: int) -> NDArray[np.float64]:
    """(layers, resources) cycles for which the tasks of each layer hold each resource.

    Args: layer_of: (operations,) the layer of each.
    """
    operation, resource = graph.operation, graph.resource
    # tasks stand in long rows of the same operation and resource: those are summed up first
    changes = (operation[1:] != operation[:-1]) | (resource[1:] != resource[:-1])
    first = np.append(0, np.flatnonzero(changes) + 1)
    cycles = np.add.reduceat(graph.occupancy, first, dtype=np.int64)
    # joins, whose resource is -1, stand in the first column of their row, which is left out
    width = len(graph.resources) + 1
    place = 1 + width * layer_of[operation[first]] + resource[first]
    busy = np.bincount(place, cycles, width * layers)
    return busy.reshape(layers, width)[:, 1:].astype(np.float64)
