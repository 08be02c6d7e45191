"""The arrays of the compiled event loop: what its columns mean, and the graph and the state made of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]

DONE, GROW, STUCK, PAUSE, WIDEN = range(5)
"""Why the loop came back: enough inferences have left, no context is free, nothing is to come, the time
has come to look whether somebody pressed Ctrl-C, or cycles no longer fit into a slot."""

PAUSE_AFTER = 1 << 20
"""Instants, some tenths of a second, after which the loop comes back."""

NOW, LEFT, OPENED, FREE, OLDEST, LATER, PENDING, LAST, BEGUN, WORK, DIRTY = range(11)
"""Counters: the cycle, inferences that left, the youngest inference with a context plus one, contexts that
are free, the oldest inference that has not left, endings beyond the wheel, endings on it, the context of the
inference that left last (-1 for none), whether the first inferences have entered; work and queues to
look at in a round that is still to come."""

NEVER = 2**62
"""A cycle that does not come."""

LONG_AGO = 2**31 - 2
"""As many cycles ago as a slot of 32 bits can tell."""

CHUNK_BITS = 6
CHUNK = 1 << CHUNK_BITS
"""Slots that are set together, when the first of them is needed: most are, long after an inference enters."""

ROW, QUEUE = range(2)
"""Columns of a task's place: its row, which tasks of equal layers share; its queue, -1 for a join, or for a
task that is dealt to copies -2 - its row of ``dealt``."""

OCCUPANCY, LATENCY, FINISH, START = range(4)
"""Columns of a row: durations; where the edges of the finish and of the start begin: they end where the next
row's begin."""

FAR = 2**30
"""Edges from this number on lead to a later inference, and the one before it to the exit of their own."""
EXIT = FAR - 1

FIRST, COPIES, TURN, TURNS = range(4)
"""Columns of a task that is dealt: the first queue, the copies, its turn, the turns of an inference."""

STILL, BEGAN = 0, 1
"""Columns of a slot: what it still waits for; the cycle in which it started."""
LINK = STILL
"""What is ready waits for nothing, and the column takes its link: -2 - the next slot of its queue or the next
node of its cycle, -1 at the end of either."""

HEAD, TAIL, SERVERS, MARKED = range(4)
"""Columns of a queue: first and last slot, servers that are free, whether it is looked at in this round."""

INFERENCE, ENDINGS, LEAVING = range(3)
"""Columns of a context: who has it, endings to come, whether it is freed when they have."""

CONTEXT, OPEN, GONE = range(3)
"""Columns of the ring, by inference: its context; which inference is meant; the last one that left."""


class Program(NamedTuple):
    """A graph as the loop follows it.

    What stands in a row is the same for the tasks of equal layers, so that most of what the loop reads stays
    near the processor.
    Args: shift: bits of a task's number, CHUNK_BITS at least; place: (tasks, 2); row: (rows + 1, 4); dealt:
        (dealt tasks, 4); waits: (tasks,) predecessors; edge: (edges of rows,) how many tasks ahead the target
        is, EXIT, or FAR + row of ``later`` where it is in a later inference; later: (far edges of rows, 2)
        how many tasks ahead, and how many inferences; far: (far edges, 2) target and distance of all of
        them: they do not exist from before the first inference; reach: their longest distance.
    """

    shift: int
    exit: int
    reach: int
    place: Int32
    row: Int32
    dealt: Int32
    waits: Int32
    edge: Int32
    later: Int32
    far: Int32


class Loop(NamedTuple):
    """What a run is asked for.

    Args: in_flight: an inference enters when the one that many before it leaves, -1: all at cycle 0;
        inferences: how many there are, -1 for no end; first: how many enter at cycle 0; keep: whether all
        contexts are kept for their schedules; spare: contexts that an instant may take; horizon: the cycle
        from which on starts may not fit into a slot; remember: how many starts of each task.
    """

    in_flight: int
    inferences: int
    first: int
    keep: bool
    spare: int
    horizon: int
    remember: int


class Progress(NamedTuple):
    """Where a run stands; all arrays change in place.

    Args: slot: (slots, 2), of 32 bits until cycles need more; seen: (chunks,) whether the slots of each are
        set; context: (contexts, 3); ring: (ring, 3); free: stack of contexts; queue: (queues, 4); dirty:
        queues to look at in a round; wheel: (cycles,) first node; filled: bits of the wheel; later:
        (endings, 2) cycle and node of those beyond it; ready, key, work: tasks that became ready, their
        numbers, and events whose edges are to be followed; left: cycles at which inferences left; begun:
        (tasks, 2) how often each task has begun, and by whom, see ``engine.Glimpse``; starts: (tasks *
        remembered,) of each task, the last one first; both are empty where none is remembered.
    """

    counters: Int64
    slot: NDArray[np.signedinteger[Any]]
    seen: NDArray[np.uint8]
    context: Int64
    ring: Int64
    free: Int32
    queue: Int32
    dirty: Int32
    wheel: Int32
    filled: NDArray[np.uint64]
    later: Int64
    ready: Int32
    key: Int64
    work: Int64
    left: Int64
    begun: NDArray[np.signedinteger[Any]]
    starts: NDArray[np.signedinteger[Any]]
