"""What let each task start, for ``sim.critical_path``, compiled."""

# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from archsim.sim.fast_kernel import compiled
from archsim.sim.fast_layout import Int32, Int64


@compiled
def bind(first: Int64, target: Int32, distance: Int32, allowed: Int64, start: Int64, bound: Int32) -> int:
    """Note of each task that started when a source of its inference let it, the first such source.

    Args: first, target, distance: edges, by their sources; allowed: (tasks,) from which cycle each lets
        others start; start: (tasks,) when they did; bound: (tasks,) changes in place.
    """
    for source in range(len(start) - 1, -1, -1):
        for edge in range(first[source], first[source + 1]):
            if distance[edge] == 0 and start[target[edge]] == allowed[source]:
                bound[target[edge]] = source
    return 0
