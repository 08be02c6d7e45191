"""What bounds latency and throughput: the ``critical_path`` of the result record.

Its keys, all in cycles of the system clock:

- ``cycles``: the latency of one inference, which is ``compute_cycles`` + ``transfer_cycles`` +
  ``waiting_cycles``: work that the result depends on, on parts and on buses and links, and tasks that hold
  the server for which the next one waits.
- ``by_class``, ``by_operation``, ``by_layer``: the same cycles by the resource class, the operation and the
  layer of the task that accounts for them; each table sums to ``cycles``.
- ``waiting_by_class``: the waiting among them; sums to ``waiting_cycles``.
- ``throughput``: ``interval_cycles`` between two inferences; ``in_flight_limit``: the inferences that can be
  stored at a time, None where nothing limits them as a whole; ``searched``: whether the best number
  in flight was looked for to the end; ``busiest``: of each class the resource
  that an inference holds for longest, with its ``busy_cycles`` (of one server; no interval is shorter) and
  the number of ``others`` that are held for as long.
- ``what_if``: of each class that was tried, ``latency_cycles`` and ``interval_cycles`` (None without a
  stream) with all its resources twice as fast; empty unless asked for.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.results.energy import layer_rows, operation_names, summed
from archsim.sim.critical_path import critical_path
from archsim.sim.engine import Queues
from archsim.sim.stream import Stream
from archsim.task_graph import TaskGraph


def bottleneck(
    graph: TaskGraph,
    start: NDArray[np.int64],
    stream: Stream | None,
    media: Collection[str],
    in_flight_limit: int | None,
) -> dict[str, Any]:
    """The record, without what-ifs.

    Args: start: (tasks,) of one inference in an empty machine; media: the classes of resources that
        transfer; in_flight_limit: the most inferences that can be stored at a time.
    """
    path = critical_path(graph, start)
    by_operation = np.bincount(graph.operation[path.tasks], path.cycles, len(graph.operations))
    # before all others that of joins, whose resource is -1: they take no time
    classes = ("", *[resource.part for resource in graph.resources])
    resource = graph.resource[path.tasks] + 1
    by_class = _table(classes, np.bincount(resource, path.cycles, len(classes)))
    waiting = _table(classes, np.bincount(resource, path.cycles * path.waiting, len(classes)))
    transfer = sum(by_class.get(part, 0) - waiting.get(part, 0) for part in media)
    queued = sum(waiting.values())
    return {
        "cycles": path.total_cycles,
        "compute_cycles": path.total_cycles - transfer - queued,
        "transfer_cycles": transfer,
        "waiting_cycles": queued,
        "by_class": _largest_first(by_class),
        "by_operation": _largest_first(_table(operation_names(graph), by_operation)),
        "by_layer": _by_layer(graph, by_operation),
        "waiting_by_class": _largest_first(waiting),
        "throughput": {
            "interval_cycles": stream.interval_cycles if stream else float(path.total_cycles),
            "in_flight_limit": in_flight_limit,
            "searched": stream is None or stream.searched,
            "busiest": _busiest(graph, stream),
        },
        "what_if": {},
    }


def bounding_classes(record: dict[str, Any]) -> list[str]:
    """The classes of resources that bound latency and throughput: one or two."""
    firsts = [next(iter(table), None) for table in (record["by_class"], record["throughput"]["busiest"])]
    return [part for part in dict.fromkeys(firsts) if part is not None]


def times(graph: TaskGraph, start: NDArray[np.int64], stream: Stream | None) -> dict[str, float | None]:
    """The row of a what-if: how fast the machine that was tried is."""
    return {
        "latency_cycles": int(start[graph.exit]),
        "interval_cycles": stream.interval_cycles if stream else None,
    }


def _by_layer(graph: TaskGraph, by_operation: NDArray[Any]) -> dict[str, int]:
    """Cycles by layer in their order, those outside of all layers last."""
    names, layer_of = layer_rows(graph.layers)
    return _table(names, np.bincount(layer_of, by_operation, len(names)))


def _table(names: tuple[str, ...], cycles: NDArray[Any]) -> dict[str, int]:
    """Cycles by name, without the names that have none.

    Args: names: some may be equal; cycles: of each, whole numbers.
    """
    return {name: int(own) for name, own in summed(names, cycles).items() if own}


def _busiest(graph: TaskGraph, stream: Stream | None) -> dict[str, dict[str, Any]]:
    """The busiest resource of each class, the busiest class first."""
    queues = Queues.of(graph)
    busy = stream.busy_cycles if stream else queues.busy_cycles()
    held = np.maximum.reduceat(busy, np.cumsum(queues.copies) - queues.copies) if len(busy) else busy
    found: dict[str, dict[str, Any]] = {}
    for resource, cycles in zip(graph.resources, held.tolist(), strict=True):
        best = found.get(resource.part)
        if best is None or cycles > best["busy_cycles"]:
            found[resource.part] = {"resource": resource.name, "busy_cycles": cycles, "others": 0}
        elif cycles == best["busy_cycles"]:
            best["others"] += 1
    return dict(sorted(found.items(), key=lambda row: (-row[1]["busy_cycles"], row[0])))


def _largest_first(table: dict[str, int]) -> dict[str, int]:
    return dict(sorted(table.items(), key=lambda row: (-row[1], row[0])))
