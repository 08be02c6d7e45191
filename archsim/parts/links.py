"""Buses and links: media that move bytes, one transfer at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from archsim.cost.entry import Charge, Component, Cost, CostTable, NonNegative, Positive, Section
from archsim.parts.part import Fact
from archsim.task_graph import GraphBuilder, IntArray, Wire
from archsim.units import ceil_cycles, ns_to_cycles, transfer_cycles


class LinkModel(Section):
    """A shared medium: a PU's bus, a chip's interconnect or global bus, a link between chips.

    A bus is one medium for all that are connected to it; a link has one lane a direction.
    """

    kind: Literal["bus", "link"]
    """Which kind of medium this is."""
    bandwidth_gb_per_s: Positive
    """Bytes a nanosecond, of each lane."""
    latency_ns: NonNegative
    """From the last byte's departure to its arrival."""
    cost: Cost
    """One medium, all its lanes; an action is the move of one bit."""

    @property
    def lanes(self) -> int:
        """Transfers at a time: one on a bus, one in each direction of a link."""
        return 2 if self.kind == "link" else 1

    def build(self, name: str, clock_ghz: float) -> Link:
        """The medium that a machine consists of."""
        return Link(name, self, clock_ghz)


@dataclass(frozen=True)
class Link:
    """A medium and its resource: transfers queue for it, first come first served.

    Timing: occupancy = ceil(bytes * clock / bandwidth); latency = occupancy + fixed latency.
    """

    name: str
    model: LinkModel
    clock_ghz: float

    @cached_property
    def costs(self) -> CostTable:
        """Energy of a bit: given, or the power while all lanes are busy over the bits that they move."""
        cost = self.model.cost
        bits_per_ns = 8 * self.model.bandwidth_gb_per_s * self.model.lanes
        energy = cost.action_pj(1.0, bits_per_ns)
        medium = Component(self.name, cost.area_mm2, energy * bits_per_ns, cost.leakage_mw)
        return CostTable({f"{self.name}.bit": (Charge(self.name, energy),)}, (medium,))

    def facts(self) -> tuple[Fact, ...]:
        """Bandwidth, latency and the energy of a bit."""
        bandwidth = self.model.bandwidth_gb_per_s
        (charge,) = self.costs.actions[f"{self.name}.bit"]
        each = " a direction" if self.model.lanes > 1 else ""
        return (
            Fact("bandwidth", bandwidth, f"GB/s{each}"),
            Fact("width", bandwidth / self.clock_ghz, "bytes a cycle"),
            Fact("latency", ns_to_cycles(self.model.latency_ns, self.clock_ghz), "cycles"),
            Fact("energy", charge.energy_pj, "pJ a bit"),
        )

    def cycles(self, nbytes: IntArray | int) -> IntArray | int:
        """Cycles for which a transfer holds the medium: one number, or (tokens,)."""
        if isinstance(nbytes, int):
            return ceil_cycles(nbytes * (self.clock_ghz / self.model.bandwidth_gb_per_s))
        return transfer_cycles(nbytes, self.model.bandwidth_gb_per_s, self.clock_ghz)

    def move(
        self,
        nbytes: IntArray | int,
        token: IntArray,
        after: Sequence[Wire],
        graph: GraphBuilder,
        lane: str = "",
    ) -> Wire:
        """One transfer for each token, on the resource of the graph's current place."""
        occupancy = self.cycles(nbytes)
        latency = occupancy + ns_to_cycles(self.model.latency_ns, self.clock_ghz)
        resource = graph.resource(f"{self.name}{lane}", self.name)
        return graph.add(resource, occupancy, latency, token, after, {f"{self.name}.bit": nbytes * 8.0})
