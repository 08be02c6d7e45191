"""Operands: which values a step takes, where they are brought, and what must be stored first."""

from __future__ import annotations

from archsim.mapping.plan import Step
from archsim.parts.part import Tokens, Value
from archsim.schedule.fetch import FetchBuffers, Route
from archsim.schedule.keys import keys_ready
from archsim.schedule.spread import Spread
from archsim.schedule.transfers import Transfers
from archsim.schedule.work import Work
from archsim.task_graph import IntArray, Wire
from archsim.workload.operations import Operation, Phase, Trace


class Operands:
    """The operands of the steps of one phase."""

    def __init__(self, work: Work, transfers: Transfers, phase: Phase) -> None:
        self.work = work
        self.transfers = transfers
        self.buffers = FetchBuffers(work.graph)
        self.phase = phase
        self._routed: dict[str, Spread] = {}
        self._stored: dict[tuple[str, int, str, bool], Wire] = {}

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

        Both operands of attention are stored there, or where keys and values and intermediates are held;
        the residual of an addition where intermediates are. Scores wait for the keys, and contexts for the
        values, of all tokens that they attend to.
        Returns: the operands, and the tasks that write those stored.
        """
        held = stored_operands(step.op)
        values: list[Value] = []
        writes: list[Wire] = []
        for number, spread in enumerate(spreads):
            if number in held:
                holder = self._holder(step, number)
                value, written = self._bring_stored(step, place, spread, holder, tokens)
                writes += written
                if number == 1 and step.op.family == "attention" and holder != step.part:
                    value = value._replace(fetch=self.route(step, place, holder))
                else:
                    value = self.transfers.read(
                        f"{spread.name} stored", step.pus[place], value, step.part, tokens
                    )
            else:
                value = self.transfers.bring(spread, step.pus, place, step.takes, step.part, tokens)
            if step.op.family == "attention" and number == 1:
                ready = keys_ready(value.ready, tokens, self.work.trace, self.phase, self.work.graph)
                value = value.after(ready)
            values.append(value)
        if step.op.kind == "attention_scores" and self.work.machine.mapping.pruner:
            values.append(self._pruned(step, place, spreads, tokens))
        return values, writes

    def route(self, step: Step, place: int, holder: str) -> Route:
        """The way from ``holder`` to the part that executes a step on one of its PUs."""
        number = self.buffers.number(f"{step.op.id}.{step.factor}")
        context = step.op.kind == "attention_context"
        block = self.buffers.number(f"{scores_of(step.op, self.work.trace).id}.0") if context else number
        return Route(self.transfers, self.buffers, step.pus[place], holder, step.part, block, number)

    def _holder(self, step: Step, number: int) -> str:
        """The part that stores an operand: keys and values have theirs, and so has what multiplies them.

        That is with them where they are multiplied in place, unless nothing but products comes out there.
        """
        holders = self.work.holders
        in_place = holders.keys_values == step.part and self.work.machine.part(step.part).readable
        if step.op.family == "attention" and (number == 1 or in_place):
            return holders.keys_values
        return holders.others

    def _bring_stored(
        self, step: Step, place: int, spread: Spread, holder: str, tokens: Tokens
    ) -> tuple[Value, list[Wire]]:
        """An operand in the memory of ``holder``, and the tasks that write it if it is not there yet."""
        graph, machine, pu = self.work.graph, self.work.machine, step.pus[place]
        value = self.transfers.bring(spread, step.pus, place, step.takes, holder, tokens)
        key = (spread.name, pu, holder, step.takes == "split")
        writes = []
        if key not in self._stored:
            graph.place = self.work.place_of(holder, pu)
            self._stored[key] = machine.part(holder).store(value, tokens, graph)
            writes = [self._stored[key]]
        return value._replace(ready=self._stored[key], at=holder), writes

    def _pruned(self, step: Step, place: int, spreads: list[Spread], tokens: Tokens) -> Value:
        """The keys that the pruner leaves to each token, at the part that executes the scores."""
        work, pu, share = self.work, step.pus[place], step.shares[place]
        pruner = work.machine.parts[work.machine.mapping.pruner or ""]
        assert share is not None, "a PU that brings operands has a share"
        queries = self.transfers.bring(spreads[0], step.pus, place, step.takes, pruner.name, tokens)
        keys, _ = self._bring_stored(step, place, spreads[1], pruner.name, tokens)
        keys = keys.after(keys_ready(keys.ready, tokens, work.trace, self.phase, work.graph))
        work.graph.place = work.place(pu)
        kept = pruner.run(share, tokens, [queries, keys], None, work.trace.precision, work.graph)
        return self.transfers.to_part(f"{step.op.id} pruned", pu, kept, step.part, tokens)

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


def scores_of(context: Operation, trace: Trace) -> Operation:
    """The attention_scores whose results reach an attention_context."""
    op = trace.by_id[context.after[0]]
    while op.kind != "attention_scores":
        op = trace.by_id[op.after[0]]
    return op


def stored_operands(op: Operation) -> tuple[int, ...]:
    """Which operands are read from memory: both of attention, and the residual of an addition."""
    if op.family == "attention":
        return (0, 1)
    return (1,) if op.kind == "add" and len(op.after) == 2 else ()
