"""Moves values: between the parts of a PU, between PUs and between chips. Every move is made once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace


from archsim.hardware.machine import Machine
from archsim.parts.part import Tokens, Value
from archsim.task_graph import GraphBuilder, IntArray, Place, Wire
from archsim.workload.operations import Precision

PORT = "port"
"""Where a value stands in a PU when it has come from outside, or is about to leave."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The result of an operation over the PUs of its group.

    Args: name: unique in the phase, also for the tokens that take part; split: each PU has a share
        (None where it has nothing), else the first PU has the whole.
    """

    name: str
    pus: tuple[int, ...]
    values: tuple[Value | None, ...]
    split: bool

    def take(self, name: str, which: IntArray) -> Spread:
        """The same for the tokens at the places ``which``."""
        values = tuple(None if value is None else value.take(which) for value in self.values)
        return Spread(f"{self.name} {name}", self.pus, values, self.split)


class Transfers:
    """The moves of one phase."""

    def __init__(self, machine: Machine, precision: Precision, graph: GraphBuilder) -> None:
        self.machine = machine
        self.precision = precision
        self.graph = graph
        self._in_pu: dict[tuple[str, int, str], Value] = {}
        self._over: dict[tuple[str, int, tuple[int, ...]], Wire] = {}

    def place(self, pu: int) -> Place:
        """Where a PU stands."""
        return Place(pu // self.machine.pus, pu)

    def to_part(self, name: str, pu: int, value: Value, part: str, tokens: Tokens) -> Value:
        """The value at ``part`` of the same PU: over the PU's bus, unless the two share a module."""
        home = self.machine.home(part)
        key = (name, pu, home)
        if key in self._in_pu:
            return self._in_pu[key]
        if value.partial_sums > 1:
            value = self._reduce(name, pu, value, tokens, self.precision.activation_bits)
        if value.at != PORT and self.machine.home(value.at) == home:
            return value
        moved = replace(value, ready=self._bus(pu, value, tokens), at=home, slots=0)
        self._in_pu[key] = moved
        return moved

    def to_root(self, spread: Spread, root: int, tokens: Tokens) -> Value:
        """The whole value on PU ``root``; shares are gathered there."""
        if not spread.split and spread.pus[0] == root:
            return _present(spread.values[0])
        return self._arrived(spread, (root,), tokens)

    def to_all(self, spread: Spread, pus: tuple[int, ...], pu: int, tokens: Tokens) -> Value:
        """The whole value on ``pu``, where all of ``pus`` get it by one multicast of each sender."""
        if pus == (pu,) or (not spread.split and spread.pus[0] == pu):
            return self.to_root(spread, pu, tokens)
        return self._arrived(spread, pus, tokens)

    def partial_sums(self, spread: Spread, tokens: Tokens) -> list[Value]:
        """The partial sums of all PUs on the first one, over the global bus of its chip."""
        root = spread.pus[0]
        arrived = []
        for pu, value in zip(spread.pus, spread.values, strict=True):
            if value is None:
                continue
            bits = self.precision.partial_sum_bits
            if value.partial_sums > 1:
                value = self._reduce(spread.name, pu, value, tokens, bits)
            whole = replace(value, bits=bits)
            if pu == root:
                arrived.append(whole)
                continue
            leaving = self.to_part(spread.name, pu, whole, PORT, tokens)
            self.graph.place = Place(self.place(root).chip)
            wire = self.machine.global_bus.move(leaving.nbytes, tokens.index, [leaving.ready], self.graph)
            arrived.append(replace(leaving, ready=wire))
        return arrived

    def host(self, pu: int, nbytes: IntArray | int, tokens: Tokens, after: Sequence[Wire]) -> Wire:
        """Transfers between the host and the chip of ``pu``, over the chip's global bus."""
        self.graph.place = Place(self.place(pu).chip)
        return self.machine.global_bus.move(nbytes, tokens.index, after, self.graph)

    def _reduce(self, name: str, pu: int, value: Value, tokens: Tokens, bits: int) -> Value:
        """Add a value's partial sums on the way to where intermediates are held; additions ride along."""
        holder = self.machine.home(self.machine.mapping.intermediates)
        key = (name, pu, holder)
        if key not in self._in_pu:
            wire = self._bus(pu, value, tokens)
            self._in_pu[key] = Value(wire, value.width, bits, holder)
        return self._in_pu[key]

    def _bus(self, pu: int, value: Value, tokens: Tokens) -> Wire:
        self.graph.place = self.place(pu)
        wire = self.machine.bus.move(value.nbytes, tokens.index, [value.ready], self.graph)
        if value.slots:
            self.graph.ring(wire, value.ready, value.slots, from_start=True)
        return wire

    def _arrived(self, spread: Spread, pus: tuple[int, ...], tokens: Tokens) -> Value:
        """The whole value at the ports of ``pus``, all on one chip: each sender multicasts once."""
        key = (spread.name, spread.pus[0], pus)
        senders = [
            (pu, value) for pu, value in zip(spread.pus, spread.values, strict=True) if value is not None
        ]
        if not spread.split:
            senders = senders[:1]
        width: IntArray | int = sum(value.width for _, value in senders)
        bits = senders[0][1].bits if senders[0][1].partial_sums == 1 else self.precision.activation_bits
        if key not in self._over:
            # what a PU has itself is with it at once, and needs no transfer
            wires = []
            for pu, value in senders:
                leaving = value if pus == (pu,) else self.to_part(spread.name, pu, value, PORT, tokens)
                wires.append(leaving.ready if pus == (pu,) else self._between(pu, pus[0], leaving, tokens))
            self.graph.place = self.place(pus[0])
            self._over[key] = wires[0] if len(wires) == 1 else self.graph.join(wires, tokens.index)
        return Value(self._over[key], width, bits, PORT)

    def _between(self, source: int, target: int, value: Value, tokens: Tokens) -> Wire:
        """From the port of one PU to those of a chip's PUs, over as many chip links as lie between."""
        machine, graph = self.machine, self.graph
        chip, last = self.place(source).chip, self.place(target).chip
        graph.place = Place(chip)
        wire = machine.interconnect.move(value.nbytes, tokens.index, [value.ready], graph)
        while chip != last:
            step = 1 if last > chip else -1
            graph.place = Place(chip)
            lane = f".to_chip{chip + step}"
            wire = machine.chip_link.move(value.nbytes, tokens.index, [wire], graph, lane)
            chip += step
            graph.place = Place(chip)
            wire = machine.interconnect.move(value.nbytes, tokens.index, [wire], graph)
        return wire


def _present(value: Value | None) -> Value:
    assert value is not None, "the root PU has a share of every operation"
    return value
