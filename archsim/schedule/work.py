"""What is lowered, and the graph that it is lowered to."""

from __future__ import annotations

from dataclasses import dataclass

from archsim.hardware.machine import Machine
from archsim.schedule.tokens import Attendance
from archsim.task_graph import GraphBuilder, Place
from archsim.workload.operations import Trace


@dataclass(frozen=True, slots=True)
class Work:
    """One inference of ``trace`` on ``machine``, and its task graph in the making."""

    machine: Machine
    trace: Trace
    attendance: Attendance
    graph: GraphBuilder

    def place(self, pu: int) -> Place:
        """Where a PU stands."""
        return Place(pu // self.machine.pus, pu)
