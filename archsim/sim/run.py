"""What a finished run measured: when each task started and finished, and how busy each queue was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archsim.task_graph import Resource, TaskGraph


@dataclass(frozen=True, slots=True, eq=False)
class QueueUse:
    """How each queue of the machine was used; a resource has ``copies`` of them.

    Args: resource: (queues,) index into the graph's resources; busy_cycles: (queues,) for which its
        servers were held, summed over them; waiting_cycles: (queues,) that tasks waited in it, summed
        over them; longest: (queues,) the most tasks that waited at once.
    """

    resource: NDArray[np.int32]
    busy_cycles: NDArray[np.int64]
    waiting_cycles: NDArray[np.int64]
    longest: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A finished run; all times are cycles from its beginning.

    Args: start, finish: (inferences, tasks) of each task; completed_cycles: (inferences,) when each
        left; end: when the last task had finished and the last resource was released.
    """

    start: NDArray[np.int64]
    finish: NDArray[np.int64]
    queues: QueueUse
    completed_cycles: NDArray[np.int64]
    end: int

    def utilisation(self, graph: TaskGraph) -> NDArray[np.float64]:
        """(resources,) share of the run for which each resource's servers were held."""
        busy = np.bincount(self.queues.resource, self.queues.busy_cycles, len(graph.resources))
        servers = np.array([r.servers * r.copies for r in graph.resources], dtype=np.float64)
        share: NDArray[np.float64] = busy / (servers * max(self.end, 1))
        return share

    def busiest(self, graph: TaskGraph) -> Resource | None:
        """The resource that was held for the largest share of the run; None without resources."""
        if not graph.resources:
            return None
        return graph.resources[int(self.utilisation(graph).argmax())]
