"""Lowers a mapped trace to a task graph: every step of the plan, for the tokens of every phase."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from archsim.graph_blocks import Mark
from archsim.hardware.machine import Machine
from archsim.mapping.plan import Group, Plan, Step
from archsim.parts.part import Tokens, Value
from archsim.schedule.host import HOST, Host, last_tokens
from archsim.schedule.layers import copied_spread, copies_of, equal_runs, equal_spreads, names_of
from archsim.schedule.operands import Operands, scores_of, stored_operands
from archsim.schedule.spread import Spread
from archsim.schedule.storage import Storage
from archsim.schedule.tokens import Attendance, phase_tokens
from archsim.schedule.transfers import Transfers
from archsim.schedule.work import Work
from archsim.task_graph import Detail, GraphBuilder, IntArray, TaskGraph, Wire
from archsim.workload.operations import Operation, Phase, Trace


def lower(machine: Machine, trace: Trace, plan: Plan, detail: Detail = "module") -> TaskGraph:
    """The task graph of one inference of ``trace``, mapped on ``machine`` as ``plan`` says."""
    homes = {name: machine.home(name) for name in (*machine.parts, *machine.chip_parts)}
    work = Work(machine, trace, plan.holders, Attendance(trace), GraphBuilder(detail), homes)
    storage = Storage(work, plan.groups)
    previous: Wire | None = None
    for phase, tokens in phase_tokens(trace):
        previous = _PhaseLowering(work, storage, phase, tokens).run(plan, previous)
    storage.hand_on()
    return work.graph.build()


class _PhaseLowering:
    """One phase while it is lowered: the results so far, and what moves and stores them."""

    def __init__(self, work: Work, storage: Storage, phase: Phase, tokens: Tokens) -> None:
        self.work = work
        self.storage = storage
        self.phase = phase
        self.tokens = tokens
        self.transfers = Transfers(work)
        self.operands = Operands(work, self.transfers, phase)
        self.host = Host(work, self.transfers)
        self.results: dict[str, Spread] = {}
        self.scores: dict[tuple[str, int], Wire] = {}

    def run(self, plan: Plan, previous: Wire | None) -> Wire:
        """All steps, between the host's inputs and outputs.

        Args: previous: the outputs of the last tokens of the phase before, None for the first phase.
        Returns: (sequences,) those of this phase.
        """
        self.work.graph.buffers_bounded = self.phase.name == "prefill"
        for run in equal_runs(plan.groups, self.work.machine, self.work.trace):
            self._run_equal(run, first=previous is None)
        self.operands.buffers.bound()
        output = self.host.receive(self.results, self.phase, self.tokens)
        if self.phase.name == "decode":
            self.host.feed_back(output, previous)
        return last_tokens(output, self.tokens)

    def _run_equal(self, groups: Sequence[Group], *, first: bool) -> None:
        """Groups that are equal but for names and PUs: once one is as the one before, it is copied."""
        before: Mark | None = None
        for place, group in enumerate(groups):
            begin = self.work.graph.mark()
            for step in group.steps:
                self._step(group, step, first=first)
            rest = groups[place + 1 :]
            if before and rest and self._is_copy(groups[place - 1], before, group, begin):
                self._copy(group, begin, rest)
                return
            before = begin

    def _is_copy(self, previous: Group, before: Mark, group: Group, begin: Mark) -> bool:
        """Whether ``group`` was lowered to the same as ``previous``, but for names and PUs."""
        graph, (copy,) = self.work.graph, copies_of(group, [previous])
        if self.operands.buffers.used or not graph.is_copy(before, begin, copy):
            return False
        tasks = begin.tasks - before.tasks
        return all(
            equal_spreads(self.results[copy.name(name)], copied_spread(self.results[name], copy, -tasks))
            for name in names_of(group)
        )

    def _copy(self, group: Group, begin: Mark, others: Sequence[Group]) -> None:
        """Copy the tasks of ``group`` for ``others``, and the results of the last one for those after it."""
        graph = self.work.graph
        tasks = graph.size - begin.tasks
        copies = copies_of(group, others)
        graph.repeat(begin, copies)
        self.storage.copy(group, others, begin.tasks, tasks)
        last, ahead = copies[-1], len(others) * tasks
        for name in names_of(group):
            self.results[last.name(name)] = copied_spread(self.results[name], last, ahead)
        self.transfers.copy(last, ahead)

    def _step(self, group: Group, step: Step, *, first: bool) -> None:
        """One operation, or one SVD factor, for the tokens that take part in it."""
        op = step.op
        self.work.graph.begin_operation(op.id, op.layer)
        which = self.work.attendance.which(op, self.phase, self.tokens)
        taking = self.tokens if which is None else self.tokens.take(which)
        if len(taking):
            result = self._run(group, step, which, taking, first=first)
        else:
            bits = self.work.trace.precision.activation_bits
            nothing = Value(np.zeros(0, dtype=np.int32), op.output_width, bits, step.part)
            result = Spread(op.id, step.pus[:1], (nothing,), False)
        self.results[op.id] = result if which is None else result.scattered(which, len(self.tokens))

    def _run(
        self, group: Group, step: Step, which: IntArray | None, tokens: Tokens, *, first: bool
    ) -> Spread:
        """The result of a step on all the PUs of its group."""
        if step.factor or step.op.after:
            spreads = self.operands.choose(step, self.results, which, tokens)
        else:
            spreads = [self.host.send(step, tokens)]
        if step.part == HOST:
            return spreads[0]
        values = tuple(
            None if share is None else self._share(group, step, place, share, spreads, tokens, first=first)
            for place, share in enumerate(step.shares)
        )
        result = Spread(f"{step.op.id}.{step.factor}", step.pus[: len(values)], values, step.gives != "root")
        return self._sum(step, result, tokens) if step.gives == "partial" else result

    def _share(
        self,
        group: Group,
        step: Step,
        place: int,
        share: Operation,
        spreads: list[Spread],
        tokens: Tokens,
        *,
        first: bool,
    ) -> Value:
        """One PU's share of a step: bring its operands, then let the part write its tasks."""
        pu, graph, machine = step.pus[place], self.work.graph, self.work.machine
        values, writes = self.operands.bring(step, place, spreads, tokens)
        held = step.held[place] if step.held else None
        if held is not None and held.part != step.part:
            held = held._replace(fetch=self.operands.route(step, place, held.part))
        graph.place = self.work.place(pu)
        precision = self.work.trace.precision
        result = machine.parts[step.part].run(share, tokens, values, held, precision, graph)
        if stored_operands(step.op):
            self.storage.read(group, result.ready)
        if first:
            self.storage.written(group, writes)
        if step.op.kind == "attention_scores":
            self.scores[step.op.id, pu] = result.ready
        elif step.op.kind == "attention_context":
            scores = self.scores[scores_of(step.op, self.work.trace).id, pu]
            graph.ring(result.ready, scores, machine.mapping.score_slots)
        return result

    def _sum(self, step: Step, result: Spread, tokens: Tokens) -> Spread:
        """Add the partial sums of tensor-parallel PUs on the first one."""
        root, graph, precision = step.pus[0], self.work.graph, self.work.trace.precision
        part = self.work.machine.parts[self.work.machine.mapping.nonlinear]
        partials = self.transfers.partial_sums(result, part.name, tokens)
        columns = next(share.columns for share in step.shares if share is not None)
        add = Operation(f"{step.op.id}.sum", "add", step.op.layer, width=columns)
        graph.place = self.work.place(root)
        value = part.run(add, tokens, partials, None, precision, graph)
        return Spread(f"{result.name} summed", (root,), (value,), False)
