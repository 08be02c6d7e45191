"""Lowers a mapped trace to a task graph: every step of the plan, for the tokens of every phase."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from archsim.hardware.machine import Machine
from archsim.mapping.plan import Group, Plan, Step
from archsim.parts.part import Tokens, Value
from archsim.schedule.keys import keys_ready
from archsim.schedule.tokens import Attendance, phase_tokens
from archsim.schedule.transfers import PORT, Spread, Transfers
from archsim.task_graph import GraphBuilder, IntArray, TaskGraph, Wire
from archsim.units import bits_to_bytes
from archsim.workload.operations import Operation, Phase, Trace

HOST = "host"
"""The executor of embeddings: it looks them up and sends the vectors over the global bus."""

OUTPUT = "output"
"""The operation of the transfers of results to the host."""

MOST_SLOTS = 64
"""A group that stores more inferences than this limits those in flight as a whole, and needs no edges."""


def lower(machine: Machine, trace: Trace, plan: Plan) -> TaskGraph:
    """The task graph of one inference of ``trace``, mapped on ``machine`` as ``plan`` says."""
    return _Lowering(machine, trace, plan).run()


def in_flight_limit(plan: Plan) -> int | None:
    """The most inferences in flight that the storage of the groups allows; None where edges see to it."""
    return min((group.slots for group in plan.groups if group.slots > MOST_SLOTS), default=None)


class _Lowering:
    """What is known while one inference is lowered: results of the phase, stored values, the graph."""

    def __init__(self, machine: Machine, trace: Trace, plan: Plan) -> None:
        self.machine = machine
        self.trace = trace
        self.plan = plan
        self.graph = GraphBuilder()
        self.attendance = Attendance(trace)
        consumed = {producer for op in trace.operations for producer in op.after}
        self.sinks = {op.id for op in trace.operations if op.id not in consumed}
        self.transfers = Transfers(machine, trace.precision, self.graph)
        self.results: dict[str, Spread] = {}
        self.scores: dict[tuple[str, int], Wire] = {}
        self.stored: dict[tuple[str, int], Wire] = {}
        self.routed: dict[str, Spread] = {}
        self.inputs: list[Wire] = []
        self.writes: dict[str, list[Wire]] = {}
        self.reads: dict[str, list[Wire]] = {}

    def run(self) -> TaskGraph:
        """All phases, each after the one before it, and the storage that inferences hand on."""
        previous: Wire | None = None
        for number, (phase, tokens) in enumerate(phase_tokens(self.trace)):
            self._begin_phase(phase)
            for group in self.plan.groups:
                for step in group.steps:
                    self._step(group, step, phase, tokens, keep_writes=number == 0)
            previous = self._end_phase(phase, tokens, previous)
        self._hand_on_storage()
        return self.graph.build()

    def _begin_phase(self, phase: Phase) -> None:
        self.graph.buffers_bounded = phase.name == "prefill"
        self.transfers = Transfers(self.machine, self.trace.precision, self.graph)
        self.results, self.scores, self.stored, self.routed, self.inputs = {}, {}, {}, {}, []

    def _step(self, group: Group, step: Step, phase: Phase, tokens: Tokens, *, keep_writes: bool) -> None:
        """One operation, or one SVD factor, on all the PUs of its group."""
        op = step.op
        self.graph.begin_operation(op.id, op.layer)
        which = self.attendance.which(op, phase, tokens)
        taking = tokens if which is None else tokens.take(which)
        if not len(taking):
            nothing = np.full(len(tokens), -1, dtype=np.int32)
            empty = Value(nothing, op.output_width, self.trace.precision.activation_bits, step.part)
            self.results[op.id] = Spread(op.id, step.pus[:1], (empty,), False)
            return
        operands = self._operands(step, which, taking)
        if step.part == HOST:
            result = operands[0]
        else:
            values = [
                self._execute(group, step, place, operands, phase, taking, keep_writes)
                for place in range(len(step.shares))
            ]
            name = f"{op.id}.{step.factor}"
            result = Spread(name, step.pus[: len(values)], tuple(values), step.gives == "split")
            if step.gives == "partial":
                result = self._sum(step, result, taking)
        self.results[op.id] = result if which is None else _scattered(result, which, len(tokens))

    def _operands(self, step: Step, which: IntArray | None, taking: Tokens) -> list[Spread]:
        """The operands of a step, for the tokens that take part."""
        op = step.op
        if step.factor:
            spreads = [self.results[op.id]]
        elif op.after:
            spreads = [self.results[producer] for producer in op.after]
        else:
            return [self._from_host(step, taking)]
        if which is None:
            return spreads
        taken = [spread.take(self.attendance.key(op), which) for spread in spreads]
        if op.expert is not None:
            return [self._routed(op, spread, which, taking) for spread in taken]
        return taken

    def _routed(self, op: Operation, spread: Spread, which: IntArray, taking: Tokens) -> Spread:
        """An expert's operand, which is sent when the layer's router has chosen the expert."""
        route = next(
            other for other in self.trace.operations if other.kind == "route" and other.layer == op.layer
        )
        chosen = self.results[route.id].values[0]
        assert chosen is not None, "the router runs on the root PU"
        if spread.name not in self.routed:
            values = tuple(
                value
                and replace(value, ready=self.graph.join([value.ready, chosen.ready[which]], taking.index))
                for value in spread.values
            )
            self.routed[spread.name] = replace(spread, values=values)
        return self.routed[spread.name]

    def _execute(
        self,
        group: Group,
        step: Step,
        place: int,
        operands: list[Spread],
        phase: Phase,
        tokens: Tokens,
        keep_writes: bool,
    ) -> Value | None:
        """One PU's share of a step: bring its operands, then let the part write its tasks."""
        share = step.shares[place]
        if share is None:
            return None
        pu = step.pus[place]
        part = self.machine.parts[step.part]
        values = [self._bring(step, place, spread, tokens) for spread in operands]
        writes = self._store_operands(step, pu, operands, values, phase, tokens)
        held = step.held[place] if step.held else None
        self.graph.place = self.transfers.place(pu)
        result = part.run(share, tokens, values, held, self.trace.precision, self.graph)
        if writes:
            self.reads.setdefault(group.name, []).append(result.ready)
            if keep_writes:
                self.writes.setdefault(group.name, []).extend(writes)
        if step.op.kind == "attention_scores":
            self.scores[step.op.id, pu] = result.ready
        elif step.op.kind == "attention_context":
            scores = self.scores[self._scores_of(step.op), pu]
            self.graph.ring(result.ready, scores, self.machine.mapping.score_slots)
        return result

    def _bring(self, step: Step, place: int, spread: Spread, tokens: Tokens) -> Value:
        """An operand at the part that executes a step, on one of its PUs."""
        pu = step.pus[place]
        sender = next(value for value in spread.values if value is not None)
        present = sender.ready >= 0
        if not present.all():
            # an expert's result: the other tokens have nothing to move
            which = np.flatnonzero(present)
            some = self._bring(step, place, spread.take("present", which), tokens.take(which))
            return replace(some, ready=_scatter(some.ready, which, len(tokens)))
        if step.takes == "root":
            value = self.transfers.to_root(spread, pu, tokens)
        elif step.takes == "split" and spread.split and spread.pus == step.pus:
            share = spread.values[place]
            assert share is not None, "a PU that takes a share was given one"
            value = share
        else:
            value = self.transfers.to_all(spread, step.pus, pu, tokens)
        return self.transfers.to_part(spread.name, pu, value, step.part, tokens)

    def _store_operands(
        self,
        step: Step,
        pu: int,
        operands: list[Spread],
        values: list[Value],
        phase: Phase,
        tokens: Tokens,
    ) -> list[Wire]:
        """Write what must be in memory: both operands of attention, and the residual of an addition.

        Scores wait for the keys, and contexts for the values, of all tokens that they attend to.
        """
        attention = step.op.family == "attention"
        if not attention and not (step.op.kind == "add" and len(values) == 2):
            return []
        holder = step.part if attention else self.machine.mapping.intermediates
        writes = []
        for number in (0, 1) if attention else (1,):
            name = operands[number].name
            if (name, pu) not in self.stored:
                value = self.transfers.to_part(name, pu, values[number], holder, tokens)
                self.graph.place = self.transfers.place(pu)
                wire = self.machine.parts[holder].store(value, tokens, self.graph)
                self.stored[name, pu] = wire
                writes.append(wire)
            ready = self.stored[name, pu]
            if attention and number == 1:
                ready = keys_ready(ready, tokens, self.trace, phase, self.graph)
            values[number] = replace(values[number], ready=ready, at=step.part)
        return writes

    def _scores_of(self, context: Operation) -> str:
        """The attention_scores whose slots an attention_context frees."""
        op = self.trace.by_id[context.after[0]]
        while op.kind != "attention_scores":
            op = self.trace.by_id[op.after[0]]
        return op.id

    def _sum(self, step: Step, result: Spread, tokens: Tokens) -> Spread:
        """Add the partial sums of tensor-parallel PUs on the root."""
        root = step.pus[0]
        part = self.machine.parts[self.machine.mapping.nonlinear]
        arrived = [
            self.transfers.to_part(f"{result.name} from {number}", root, value, part.name, tokens)
            for number, value in enumerate(self.transfers.partial_sums(result, tokens))
        ]
        width = step.shares[0].columns if step.shares[0] is not None else step.op.output_width
        add = Operation(f"{step.op.id}.sum", "add", step.op.layer, width=width)
        self.graph.place = self.transfers.place(root)
        value = part.run(add, tokens, arrived, None, self.trace.precision, self.graph)
        return Spread(f"{result.name} summed", step.pus[:1], (value,), False)

    def _from_host(self, step: Step, tokens: Tokens) -> Spread:
        """The trace's input, or embeddings that the host has looked up: vectors over the global bus."""
        op, bits = step.op, self.trace.precision.activation_bits
        width = op.rows or op.width
        wire = self.transfers.host(step.pus[0], bits_to_bytes(width * bits), tokens, [])
        self.inputs.append(wire)
        value = Value(wire, width, bits, PORT)
        return Spread(f"input of {op.id}", step.pus[:1], (value,), False)

    def _end_phase(self, phase: Phase, tokens: Tokens, previous: Wire | None) -> Wire:
        """Send the results to the host; a decode step's input waits for the step before it.

        Returns: (sequences,) the output of each sequence's last token.
        """
        output = self._outputs(phase, tokens)
        batch = self.trace.batch
        if phase.name == "decode":
            for wire in self.inputs:
                self.graph.edge(output[:-batch], wire[batch:])
                if previous is not None:
                    self.graph.edge(previous, wire[:batch])
            return output[-batch:]
        last: Wire = output[tokens.position == phase.tokens - 1]
        return last

    def _outputs(self, phase: Phase, tokens: Tokens) -> Wire:
        """(tokens,) the transfer of each token's result to the host, -1 where there is none."""
        self.graph.begin_operation(OUTPUT, None)
        outputs = []
        for op in self.trace.operations:
            if op.id not in self.sinks:
                continue
            which = self.attendance.which(op, phase, tokens)
            spread, taking = self.results[op.id], tokens
            if which is not None:
                spread, taking = spread.take(self.attendance.key(op), which), tokens.take(which)
            root = spread.pus[0]
            value = self.transfers.to_root(spread, root, taking)
            leaving = self.transfers.to_part(spread.name, root, value, PORT, taking)
            wire = self.transfers.host(root, leaving.nbytes, taking, [leaving.ready])
            outputs.append(wire if which is None else _scatter(wire, which, len(tokens)))
        if len(outputs) == 1:
            return outputs[0]
        return self.graph.join(outputs, tokens.index)

    def _hand_on_storage(self) -> None:
        """An inference's first writes in a group wait until one of its storage slots is free."""
        for group in self.plan.groups:
            writes = self.writes.get(group.name)
            if not writes or group.slots > MOST_SLOTS:
                continue
            self.graph.begin_operation(f"storage of {group.name}", group.layer)
            self.graph.place = self.transfers.place(group.pus[0])
            done = _concatenated(self.reads[group.name])
            free = self.graph.join([done[None, :]], np.array([-1]))
            first = _concatenated(writes)
            self.graph.edge(np.broadcast_to(free, first.shape), first, distance=group.slots)


def _concatenated(wires: Iterable[Wire]) -> Wire:
    return np.concatenate(list(wires)).astype(np.int32)


def _scatter(wire: Wire, which: IntArray, tokens: int) -> Wire:
    """A wire of the tokens that took part as one of all tokens, -1 for the others."""
    full = np.full(tokens, -1, dtype=np.int32)
    full[which] = wire
    return full


def _scattered(spread: Spread, which: IntArray, tokens: int) -> Spread:
    values = tuple(
        None if value is None else replace(value, ready=_scatter(value.ready, which, tokens))
        for value in spread.values
    )
    return replace(spread, values=values)
