"""Operands: which values a step takes, where they are brought, and what must be stored first."""

from __future__ import annotations

from dataclasses import replace

from archsim.mapping.plan import Step
from archsim.parts.part import Tokens, Value
from archsim.schedule.keys import keys_ready
from archsim.schedule.spread import Spread
from archsim.schedule.transfers import Transfers
from archsim.schedule.work import Work
from archsim.task_graph import IntArray, Wire
from archsim.workload.operations import Operation, Phase


class Operands:
    """The operands of the steps of one phase."""

    def __init__(self, work: Work, transfers: Transfers, phase: Phase) -> None:
        self.work = work
        self.transfers = transfers
        self.phase = phase
        self._routed: dict[str, Spread] = {}
        self._stored: dict[tuple[str, int, bool], Wire] = {}

    def choose(
        self, step: Step, results: dict[str, Spread], which: IntArray | None, taking: Tokens
    ) -> list[Spread]:
        """What a step takes of the ``results`` so far, for the tokens that take part."""
        op = step.op
        spreads = [results[producer] for producer in ((op.id,) if step.factor else op.after)]
        if which is None:
            return spreads
        spreads = [spread.take(self.work.attendance.key(op), which) for spread in spreads]
        if op.expert is None or step.factor or self.work.trace.by_id[op.after[0]].expert is not None:
            return spreads
        router = self._router(op)
        return [self._after_routing(spread, results[router].ready[which], taking) for spread in spreads]

    def bring(
        self, step: Step, place: int, spreads: list[Spread], tokens: Tokens
    ) -> tuple[list[Value], list[Wire]]:
        """The operands at the part that executes a step, on one of its PUs.

        Both operands of attention are stored there, and the residual of an addition where intermediates
        are held. Scores wait for the keys, and contexts for the values, of all tokens that they attend to.
        Returns: the operands, and the tasks that write those stored.
        """
        held = stored_operands(step.op)
        values: list[Value] = []
        writes: list[Wire] = []
        for number, spread in enumerate(spreads):
            if number in held:
                value, written = self._bring_stored(step, place, spread, tokens)
                writes += written
            else:
                value = self.transfers.bring(spread, step.pus, place, step.takes, step.part, tokens)
            if step.op.family == "attention" and number == 1:
                ready = keys_ready(value.ready, tokens, self.work.trace, self.phase, self.work.graph)
                value = replace(value, ready=ready)
            values.append(value)
        return values, writes

    def _bring_stored(
        self, step: Step, place: int, spread: Spread, tokens: Tokens
    ) -> tuple[Value, list[Wire]]:
        """An operand that is read from memory, and the tasks that write it if it is not there yet."""
        graph, machine, pu = self.work.graph, self.work.machine, step.pus[place]
        holder = step.part if step.op.family == "attention" else machine.mapping.intermediates
        value = self.transfers.bring(spread, step.pus, place, step.takes, holder, tokens)
        key = (spread.name, pu, step.takes == "split")
        writes = []
        if key not in self._stored:
            graph.place = self.work.place(pu)
            self._stored[key] = machine.parts[holder].store(value, tokens, graph)
            writes = [self._stored[key]]
        value = replace(value, ready=self._stored[key], at=holder)
        return self.transfers.to_part(f"{spread.name} stored", pu, value, step.part, tokens), writes

    def _router(self, op: Operation) -> str:
        """The operation that chooses the experts of the layer of ``op``."""
        return next(
            other.id
            for other in self.work.trace.operations
            if other.kind == "route" and other.layer == op.layer
        )

    def _after_routing(self, spread: Spread, chosen: Wire, tokens: Tokens) -> Spread:
        """An expert's operand, which is sent when the layer's router has chosen the expert."""
        if spread.name not in self._routed:
            ready: list[Wire | None] = []
            for pu, value in zip(spread.pus, spread.values, strict=True):
                self.work.graph.place = self.work.place(pu)
                wire = None if value is None else self.work.graph.join([value.ready, chosen], tokens.index)
                ready.append(wire)
            self._routed[spread.name] = spread.with_ready(tuple(ready))
        return self._routed[spread.name]


def stored_operands(op: Operation) -> tuple[int, ...]:
    """Which operands are read from memory: both of attention, and the residual of an addition."""
    if op.family == "attention":
        return (0, 1)
    return (1,) if op.kind == "add" and len(op.after) == 2 else ()
