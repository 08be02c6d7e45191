"""What a run measured: when each task started and finished, and how busy each queue was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class QueueUse:
    """How the queues of the machine were used; a resource has one for each of its copies.

    Args: resource: (queues,) index into the graph's resources; busy_cycles: (queues,) for which its
        servers were held by the tasks that have started, summed over them; waiting_cycles: (queues,)
        for which tasks have waited in it, summed over them; longest: (queues,) the most tasks that a
        round left waiting in it.
    """

    resource: NDArray[np.int64]
    busy_cycles: NDArray[np.int64]
    waiting_cycles: NDArray[np.int64]
    longest: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A run until now; all times are cycles from its beginning.

    Args: inferences: (kept,) which inferences the rows of ``start`` and ``finish`` are, ascending;
        start, finish: (kept, tasks) cycles at which each task did; completed_cycles: (completions,) at
        which inferences left, in the order in which they did; queues: None where the engine does not
        watch them; end: the present cycle: of a run to the end, when the last task had finished and the
        last server was released.
    """

    inferences: NDArray[np.int64]
    start: NDArray[np.int64]
    finish: NDArray[np.int64]
    completed_cycles: NDArray[np.int64]
    queues: QueueUse | None
    end: int
