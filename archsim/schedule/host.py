"""Input and output: what the host sends and receives over the global bus, and the decode feedback."""

from __future__ import annotations

from archsim.mapping.plan import Step
from archsim.parts.part import Tokens, Value
from archsim.schedule.spread import Spread, scattered
from archsim.schedule.transfers import PORT, Transfers
from archsim.schedule.work import Work
from archsim.task_graph import Wire
from archsim.workload.operations import Phase

HOST = "host"
"""The executor of embeddings: it looks them up and sends the vectors over the global bus."""

OUTPUT = "output"
"""The operation of the transfers of results to the host."""


class Host:
    """The host's traffic in one phase."""

    def __init__(self, work: Work, transfers: Transfers) -> None:
        self.work = work
        self.transfers = transfers
        self._inputs: list[Wire] = []

    def send(self, step: Step, tokens: Tokens) -> Spread:
        """The trace's input, or embeddings that the host has looked up, at the port of the first PU."""
        op, bits = step.op, self.work.trace.precision.activation_bits
        width = op.rows or op.width
        wire = self.transfers.over_global_bus(step.pus[0], -(-width * bits // 8), tokens, [])
        self._inputs.append(wire)
        return Spread(f"input of {op.id}", step.pus[:1], (Value(wire, width, bits, PORT),), False)

    def receive(self, results: dict[str, Spread], phase: Phase, tokens: Tokens) -> Wire:
        """The transfers of all results that no operation consumes; shares come from their PUs.

        Returns: (tokens,) when each token's results are there, -1 where it has none.
        """
        self.work.graph.begin_operation(OUTPUT, None)
        trace, arrived = self.work.trace, []
        for op in trace.outputs:
            which = self.work.attendance.which(op, phase, tokens)
            spread, taking = results[op.id], tokens
            if which is not None:
                spread, taking = spread.take(self.work.attendance.key(op), which), tokens.take(which)
            for wire in self._leave(spread, taking):
                arrived.append(wire if which is None else scattered(wire, which, len(tokens)))
        return arrived[0] if len(arrived) == 1 else self.work.graph.join(arrived, tokens.index)

    def feed_back(self, output: Wire, previous: Wire | None) -> None:
        """A decode step's input waits for the output of the step before it, the first for ``previous``."""
        batch = self.work.trace.batch
        for wire in self._inputs:
            self.work.graph.edge(output[:-batch], wire[batch:])
            if previous is not None:
                self.work.graph.edge(previous, wire[:batch])

    def _leave(self, spread: Spread, tokens: Tokens) -> list[Wire]:
        """The transfers of a result's shares, each from its own PU to the host."""
        wires = []
        for pu, value in zip(spread.pus, spread.values, strict=True):
            if value is not None:
                leaving = self.transfers.to_part(spread.name, pu, value, PORT, tokens)
                wires.append(self.transfers.over_global_bus(pu, leaving.nbytes, tokens, [leaving.ready]))
        return wires


def last_tokens(output: Wire, tokens: Tokens) -> Wire:
    """(sequences,) the output of each sequence's last token in a phase."""
    last: Wire = output[tokens.position == tokens.position.max()]
    return last
