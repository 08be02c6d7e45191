"""The memories that inferences hand on to each other: keys, values and intermediates of each group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from archsim.graph_blocks import shifted
from archsim.mapping.plan import Group, Plan
from archsim.schedule.work import Work
from archsim.task_graph import Wire

MOST_SLOTS = 64
"""A group that stores more inferences than this limits those in flight as a whole, and needs no edges."""


def in_flight_limit(plan: Plan) -> int | None:
    """The most inferences in flight that the storage of the groups allows; None where edges see to it."""
    return min((group.slots for group in plan.groups if group.slots > MOST_SLOTS), default=None)


class Storage:
    """Which tasks write and read what one inference stores on the PUs of each group."""

    def __init__(self, work: Work, groups: Sequence[Group]) -> None:
        self.work = work
        self.groups = groups
        self._writes: dict[str, list[Wire]] = {}
        self._reads: dict[str, list[Wire]] = {}

    def written(self, group: Group, writes: Sequence[Wire]) -> None:
        """Note writes of the first phase: later ones find the inference's slot taken."""
        if writes and group.slots <= MOST_SLOTS:
            self._writes.setdefault(group.name, []).extend(writes)

    def read(self, group: Group, tasks: Wire) -> None:
        """Note tasks that use what is stored."""
        if group.slots <= MOST_SLOTS:
            self._reads.setdefault(group.name, []).append(tasks)

    def copy(self, group: Group, others: Sequence[Group], begin: int, tasks: int) -> None:
        """Note for ``others`` what was noted for ``group`` from task ``begin`` on, each ``tasks`` later."""
        later = tasks * np.arange(1, len(others) + 1, dtype=np.int32)[:, None]
        for wires in (self._writes, self._reads):
            for wire in wires.get(group.name, ()):
                if wire.max(initial=-1) < begin:
                    continue
                for other, copied in zip(others, shifted(wire, later), strict=True):
                    wires.setdefault(other.name, []).append(copied)

    def hand_on(self) -> None:
        """Let an inference's first writes in a group wait until one of its slots is free.

        A slot is free when the inference that had it has read what it stored for the last time.
        """
        graph = self.work.graph
        for group in self.groups:
            if group.name not in self._writes:
                continue
            graph.begin_operation(f"storage of {group.name}", group.layer)
            graph.place = self.work.place(group.pus[0])
            done = np.concatenate(self._reads[group.name])
            free = graph.join([done[None, :]], np.array([-1]))
            first = np.concatenate(self._writes[group.name])
            graph.edge(np.broadcast_to(free, first.shape), graph.begin_of(first), distance=group.slots)
