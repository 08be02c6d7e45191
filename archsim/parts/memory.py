"""Memories: SRAM, DRAM, or RRAM that only stores; other parts work on what they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from archsim.cost.entry import Charge, Component, Cost, CostTable, Count, NonNegative, Positive, Section
from archsim.errors import MappingError
from archsim.parts.facts import MachineFacts
from archsim.parts.part import Fact, Held, Programming, Size, Stored, Tokens, Value
from archsim.task_graph import GraphBuilder, IntArray, Wire
from archsim.units import ns_to_cycles, transfer_cycles
from archsim.workload.operations import Operation, Precision


class MemoryModel(Section):
    """Banks, or channels, of memory: data are interleaved over all of them."""

    kind: Literal["memory_banks"]
    """Which kind of part this is."""
    count: Count
    """Banks or channels."""
    inside: str | None = None
    """The part that it stands in, if it is not on the PU's bus itself."""
    bank_bytes: Annotated[int, Field(ge=1, le=10**15)]
    """Bytes of a bank."""
    read_gb_per_s: Positive
    """Bandwidth of reading a bank."""
    write_gb_per_s: Positive
    """Bandwidth of writing a bank; reads and writes take turns."""
    read_latency_ns: NonNegative
    """From the last byte's turn to its arrival at the port."""
    write_latency_ns: NonNegative
    """From the last byte's turn until it can be read."""
    endurance_writes: Positive | None = None
    """Writes that a cell survives; without it no lifetime is told."""
    write_energy_pj: NonNegative
    """Writing a bit."""
    cost: Cost
    """One bank; an action is the read of one bit."""

    def build(self, name: str, count: int, machine: MachineFacts) -> Memory:
        """The part that a machine consists of; ``count`` banks in a PU, or in a chip."""
        return Memory(name, count, self, machine.clock_ghz)


@dataclass(frozen=True)
class Memory:
    """All banks of one PU, or of one chip, together: one resource, an access at a time.

    Timing: occupancy = ceil(bytes * clock / bandwidth of all banks); latency = occupancy + fixed latency.
    """

    name: str
    count: int
    model: MemoryModel
    clock_ghz: float

    unit = "bytes"
    modes = ()
    readable = True
    group_tokens = 1

    @property
    def capacity(self) -> int:
        """Bytes of all banks."""
        return self.count * self.model.bank_bytes

    def refuses(self, op: Operation, precision: Precision) -> str:
        """It executes nothing."""
        return f"a memory executes nothing, and {op.kind!r} is to be executed"

    def size(self, stored: Stored) -> Size:
        """Bytes of a matrix."""
        exact = Fraction(stored.rows * stored.columns * stored.bits, 8)
        return Size(-(-exact.numerator // exact.denominator), exact)

    def interval(self, stored: Stored, precision: Precision) -> int:
        """It executes nothing."""
        return 0

    def cache_size(self, nbytes: int) -> int:
        """Its unit is the byte."""
        return nbytes

    def run(
        self,
        op: Operation,
        tokens: Tokens,
        inputs: Sequence[Value],
        held: Held | None,
        precision: Precision,
        graph: GraphBuilder,
    ) -> Value:
        """Not offered.

        Raises: MappingError: always.
        """
        raise MappingError(self.refuses(op, precision))

    def store(self, value: Value, tokens: Tokens, graph: GraphBuilder) -> Wire:
        """Write each token's value."""
        nbytes = np.broadcast_to(value.nbytes, tokens.index.shape)
        bandwidth, latency_ns = self.model.write_gb_per_s, self.model.write_latency_ns
        return self._access("write", bandwidth, latency_ns, nbytes, tokens.index, value.ready, graph)

    def read(self, nbytes: IntArray, token: IntArray, ready: Wire, graph: GraphBuilder) -> Wire:
        """Read so many bytes at a time."""
        bandwidth, latency_ns = self.model.read_gb_per_s, self.model.read_latency_ns
        return self._access("read", bandwidth, latency_ns, nbytes, token, ready, graph)

    def peak_macs_per_cycle(self, precision: Precision) -> float:
        """It multiplies nothing."""
        return 0.0

    def facts(self, precision: Precision) -> tuple[Fact, ...]:
        """Bandwidths, latencies, and the energy of a bit."""
        model = self.model
        return (
            Fact("bandwidth, reading", self.count * model.read_gb_per_s, "GB/s"),
            Fact("bandwidth, writing", self.count * model.write_gb_per_s, "GB/s"),
            Fact("latency, reading", ns_to_cycles(model.read_latency_ns, self.clock_ghz), "cycles"),
            Fact("latency, writing", ns_to_cycles(model.write_latency_ns, self.clock_ghz), "cycles"),
            Fact("energy, reading", self._read_pj, "pJ a bit"),
            Fact("energy, writing", model.write_energy_pj, "pJ a bit"),
        )

    def warnings(self, held: Sequence[Held], precision: Precision) -> tuple[str, ...]:
        """None."""
        return ()

    def program(self, held: Sequence[Held]) -> Programming:
        """All weights, one after the other."""
        nbytes = sum(self.size(each.stored).units * each.copies for each in held)
        time_ns = nbytes / (self.count * self.model.write_gb_per_s)
        return Programming(time_ns, 8 * nbytes * self.model.write_energy_pj)

    @cached_property
    def costs(self) -> CostTable:
        """Energies of a bit; the peak is that of the costlier direction at its full bandwidth."""
        cost, component = self.model.cost, f"{self.name}.cells"
        reads, writes = 8 * self.model.read_gb_per_s, 8 * self.model.write_gb_per_s  # bits a ns
        peak_mw = max(reads * self._read_pj, writes * self.model.write_energy_pj)
        actions: dict[str, tuple[Charge, ...]] = {
            f"{self.name}.read": (Charge(component, self._read_pj),),
            f"{self.name}.write": (Charge(component, self.model.write_energy_pj),),
        }
        return CostTable(
            actions,
            (Component(component, cost.area_mm2, peak_mw, cost.leakage_mw),),
            8 * self.model.bank_bytes,
            f"{self.name}.write",
            self.model.endurance_writes,
        )

    @property
    def _read_pj(self) -> float:
        """Reading a bit: as given, or from the power of a bank that is read all the time."""
        return self.model.cost.action_pj(1.0, 8 * self.model.read_gb_per_s)

    def _access(
        self,
        action: str,
        bandwidth_gb_per_s: float,
        latency_ns: float,
        nbytes: IntArray,
        token: IntArray,
        ready: Wire,
        graph: GraphBuilder,
    ) -> Wire:
        occupancy = transfer_cycles(nbytes, self.count * bandwidth_gb_per_s, self.clock_ghz)
        latency = occupancy + ns_to_cycles(latency_ns, self.clock_ghz)
        resource = graph.resource(self.name, self.name)
        return graph.add(
            resource, occupancy, latency, token, [ready], {f"{self.name}.{action}": nbytes * 8.0}
        )
