"""The order of a trace's operations: producers before consumers, or the cycle that forbids it."""

from __future__ import annotations

import heapq

from archsim.workload.operations import Operation


def order_operations(operations: list[Operation]) -> tuple[list[Operation], list[list[Operation]]]:
    """Operations in an order in which producers come first; that of the file where it already is one.

    Args: operations: with unique ids; operands that are not among them are ignored.
    Returns: the ordered operations, and the cycles, each written as an operation, what it waits for,
        and so on; what is in a cycle or waits for one is not among the ordered.
    """
    number = {op.id: index for index, op in enumerate(operations)}
    routers: dict[int | None, list[str]] = {}
    for op in operations:
        if op.kind == "route":
            routers.setdefault(op.layer, []).append(op.id)
    producers = []
    for op in operations:
        # an expert's tokens are known when its layer's router has chosen them
        waits_for = [*op.after, *(routers.get(op.layer, ()) if op.expert is not None else ())]
        producers.append(sorted({number[name] for name in waits_for if name in number}))
    if all(not waits or waits[-1] < index for index, waits in enumerate(producers)):
        return operations, []
    consumers: list[list[int]] = [[] for _ in operations]
    for index, waits in enumerate(producers):
        for producer in waits:
            consumers[producer].append(index)
    missing = [len(waits) for waits in producers]
    free = [index for index, count in enumerate(missing) if not count]
    ordered: list[Operation] = []
    while free:
        index = heapq.heappop(free)
        ordered.append(operations[index])
        for consumer in consumers[index]:
            missing[consumer] -= 1
            if not missing[consumer]:
                heapq.heappush(free, consumer)
    held = {index for index, count in enumerate(missing) if count}
    first_held = {index: next(p for p in producers[index] if p in held) for index in held}
    return ordered, [[operations[index] for index in cycle] for cycle in _cycles(first_held)]


def _cycles(follow: dict[int, int]) -> list[list[int]]:
    """The cycles of a graph in which each node has one successor, each from its lowest node on."""
    cycles = []
    visited: set[int] = set()
    for start in sorted(follow):
        walk: dict[int, None] = {}
        node = start
        while node not in visited:
            visited.add(node)
            walk[node] = None
            node = follow[node]
        if node in walk:
            path = list(walk)
            cycle = path[path.index(node) :]
            lowest = cycle.index(min(cycle))
            cycles.append(cycle[lowest:] + cycle[:lowest])
    return cycles
