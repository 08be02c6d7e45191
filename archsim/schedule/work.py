"""What is lowered, and the graph that it is lowered to."""

from __future__ import annotations

from dataclasses import dataclass

from archsim.hardware.machine import Machine
from archsim.mapping.plan import Holders
from archsim.schedule.tokens import Attendance
from archsim.task_graph import GraphBuilder, Place
from archsim.workload.operations import Trace


@dataclass(frozen=True, slots=True)
class Work:
    """One inference of ``trace`` on ``machine``, and its task graph in the making.

    Args: holders: the parts that hold weights, keys and values, and intermediate results; homes: the
        outermost part around each part, itself where there is none.
    """

    machine: Machine
    trace: Trace
    holders: Holders
    attendance: Attendance
    graph: GraphBuilder
    homes: dict[str, str]

    def home(self, part: str) -> str:
        """The outermost part around ``part``: itself, where it stands in no other."""
        return self.homes.get(part, part)

    def place(self, pu: int) -> Place:
        """Where a PU stands."""
        return Place(pu // self.machine.pus, pu)

    def place_of(self, part: str, pu: int) -> Place:
        """Where the part that ``pu`` knows as ``part`` stands: in the PU, or beside those of its chip."""
        place = self.place(pu)
        return Place(place.chip) if part in self.machine.chip_parts else place
