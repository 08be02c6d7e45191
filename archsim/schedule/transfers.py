"""Moves values: between the parts of a PU, between PUs and between chips. Every move is made once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from archsim.graph_blocks import Copy
from archsim.mapping.plan import Takes
from archsim.parts.part import Tokens, Value
from archsim.schedule.layers import copied_value
from archsim.schedule.spread import Spread, scattered
from archsim.schedule.work import Work
from archsim.task_graph import IntArray, Place, Wire

PORT = "(port)"
"""Where a value stands in a PU when it has come from outside, or is about to leave; no part's name."""


class Transfers:
    """The moves of one phase.

    A vector that is gathered from shares is written as a whole wherever it is used: it crosses the bus
    of each PU in full, the PU's own share with it.
    """

    def __init__(self, work: Work) -> None:
        self.work = work
        self._in_pu: dict[tuple[str, int, str], Value] = {}
        self._delivered: dict[str, list[tuple[tuple[int, ...], Wire]]] = {}

    def bring(
        self, spread: Spread, pus: tuple[int, ...], place: int, takes: Takes, part: str, tokens: Tokens
    ) -> Value:
        """The value, or its share, at ``part`` of the PU at ``place`` of ``pus``."""
        if spread.gaps and spread.ready.min(initial=0) < 0:
            # an expert's result: the other tokens have nothing to move
            which = np.flatnonzero(spread.ready >= 0)
            some = self.bring(spread.take("present", which), pus, place, takes, part, tokens.take(which))
            return some.after(scattered(some.ready, which, len(tokens)))
        pu = pus[place]
        if takes == "split" and spread.split and spread.pus == pus:
            return self.to_part(spread.name, pu, _present(spread.values[place]), part, tokens)
        if not spread.split and spread.pus[0] == pu:
            return self.to_part(spread.name, pu, _present(spread.values[0]), part, tokens)
        whole = self._whole(spread, (pu,) if takes == "root" else pus, pu, tokens)
        return self.to_part(f"{spread.name} whole", pu, whole, part, tokens)

    def to_part(self, name: str, pu: int, value: Value, part: str, tokens: Tokens) -> Value:
        """The value at ``part`` of the same PU, or of its chip: moved, unless the two share a module."""
        home = self.work.home(part)
        key = (name, pu, home)
        if key not in self._in_pu:
            value = self._summed(name, pu, value, tokens, self.work.trace.precision.activation_bits)
            if self.work.home(value.at) != home:
                value = value._replace(ready=self._moved(pu, value, home, tokens), at=home, slots=0)
            self._in_pu[key] = value
        return self._in_pu[key]

    def read(self, name: str, pu: int, value: Value, part: str, tokens: Tokens) -> Value:
        """What a part of the PU, or of its chip, has in its memory, at ``part``: read once, and moved."""
        machine, graph = self.work.machine, self.work.graph
        home = self.work.home(part)
        if self.work.home(value.at) != home and (name, pu, home) not in self._in_pu:
            graph.place = self.work.place_of(value.at, pu)
            nbytes = np.broadcast_to(value.nbytes, tokens.index.shape)
            ready = machine.part(value.at).read(nbytes, tokens.index, value.ready, graph)
            value = value.after(ready)
        return self.to_part(name, pu, value, part, tokens)

    def carry(
        self, pu: int, source: str, target: str, nbytes: IntArray | int, token: IntArray, ready: Wire
    ) -> Wire:
        """Transfers between two parts as a PU knows them, or a part and its port.

        The PU's bus leads to its parts and the chip's global bus to those that its PUs share.
        """
        machine, graph = self.work.machine, self.work.graph
        home, goal = self.work.home(source), self.work.home(target)
        if home == goal:
            return ready
        here = self.work.place(pu)
        legs = [(machine.bus, here)] if home in machine.parts or goal in machine.parts else []
        if home in machine.chip_parts:
            legs.insert(0, (machine.global_bus, Place(here.chip)))
        elif goal in machine.chip_parts:
            legs.append((machine.global_bus, Place(here.chip)))
        for medium, place in legs:
            graph.place = place
            ready = medium.move(nbytes, token, [ready], graph)
        return ready

    def partial_sums(self, spread: Spread, part: str, tokens: Tokens) -> list[Value]:
        """The partial sums of all PUs at ``part`` of the first one, over the global bus of its chip."""
        root, bits = spread.pus[0], self.work.trace.precision.partial_sum_bits
        arrived = []
        for pu, value in _senders(spread):
            name = f"{spread.name} of {pu}"
            partial = self._summed(name, pu, value, tokens, bits)._replace(bits=bits)
            if pu != root:
                leaving = self.to_part(name, pu, partial, PORT, tokens)
                wire = self.over_global_bus(root, leaving.nbytes, tokens, [leaving.ready])
                partial = leaving.after(wire)
            arrived.append(self.to_part(name, root, partial, part, tokens))
        return arrived

    def over_global_bus(self, pu: int, nbytes: IntArray | int, tokens: Tokens, after: Sequence[Wire]) -> Wire:
        """One transfer a token over the global bus of the chip of ``pu``."""
        self.work.graph.place = Place(self.work.place(pu).chip)
        return self.work.machine.global_bus.move(nbytes, tokens.index, after, self.work.graph)

    def copy(self, copy: Copy, tasks: int) -> None:
        """Note for a copy of some operations, that many tasks further on, the moves of their results."""
        for (name, pu, home), value in list(self._in_pu.items()):
            if (new := copy.name(name)) != name:
                self._in_pu[new, pu + copy.pus, home] = copied_value(value, tasks)

    def _summed(self, name: str, pu: int, value: Value, tokens: Tokens, bits: int) -> Value:
        """The value with its partial sums added where they are moved to: the intermediates' part.

        Additions ride along.
        """
        if value.partial_sums == 1:
            return value
        key = (name, pu, self.work.home(self.work.holders.others))
        if key not in self._in_pu:
            wire = self._moved(pu, value, key[2], tokens)
            self._in_pu[key] = Value(wire, value.width, bits, key[2])
        return self._in_pu[key]

    def _moved(self, pu: int, value: Value, target: str, tokens: Tokens) -> Wire:
        """The transfers of a value to ``target``; each frees a slot of the part that it leaves."""
        wire = self.carry(pu, value.at, target, value.nbytes, tokens.index, value.ready)
        if value.slots:
            self.work.graph.ring(wire, value.ready, value.slots, from_start=True)
        return wire

    def _whole(self, spread: Spread, pus: tuple[int, ...], pu: int, tokens: Tokens) -> Value:
        """The whole value at the port of ``pu``, which is one of ``pus`` that get it together."""
        bits = self.work.trace.precision.activation_bits
        senders = list(_senders(spread))
        width: IntArray | int = sum(value.width for _, value in senders)
        if senders[0][1].partial_sums == 1:
            bits = senders[0][1].bits
        deliveries = self._delivered.setdefault(spread.name, [])
        for receivers, wire in deliveries:
            if pu in receivers:
                return Value(wire, width, bits, PORT)
        wire = self._deliver(spread, pus, tokens)
        deliveries.append((pus, wire))
        return Value(wire, width, bits, PORT)

    def _deliver(self, spread: Spread, pus: tuple[int, ...], tokens: Tokens) -> Wire:
        """Every share to the ports of ``pus``, all on one chip: each sender multicasts once."""
        wires = []
        for pu, value in _senders(spread):
            if pus == (pu,):
                # what the only receiver has itself is with it at once
                own = self._summed(spread.name, pu, value, tokens, self.work.trace.precision.activation_bits)
                wires.append(own.ready)
            else:
                leaving = self.to_part(spread.name, pu, value, PORT, tokens)
                wires.append(self._between(pu, pus[0], leaving, tokens))
        if len(wires) == 1:
            return wires[0]
        self.work.graph.place = self.work.place(pus[0])
        return self.work.graph.join(wires, tokens.index)

    def _between(self, source: int, target: int, value: Value, tokens: Tokens) -> Wire:
        """From the port of one PU to those of a chip's PUs, over as many chip links as lie between."""
        machine, graph = self.work.machine, self.work.graph
        chip, last = self.work.place(source).chip, self.work.place(target).chip
        graph.place = Place(chip)
        wire = machine.interconnect.move(value.nbytes, tokens.index, [value.ready], graph)
        while chip != last:
            step = 1 if last > chip else -1
            lane = f".to_chip{chip + step}"
            wire = machine.chip_link.move(value.nbytes, tokens.index, [wire], graph, lane)
            chip += step
            graph.place = Place(chip)
            wire = machine.interconnect.move(value.nbytes, tokens.index, [wire], graph)
        return wire


def _senders(spread: Spread) -> Iterator[tuple[int, Value]]:
    """The PUs that have something of a value: all with a share, or the first one."""
    pairs: Sequence[tuple[int, Value | None]] = list(zip(spread.pus, spread.values, strict=True))
    for pu, value in pairs if spread.split else pairs[:1]:
        if value is not None:
            yield pu, value


def _present(value: Value | None) -> Value:
    assert value is not None, "a PU that takes a share was given one"
    return value
