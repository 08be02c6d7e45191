"""The analog MVM, read by read: its timing, its actions, and at array detail its stages as tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from archsim.task_graph import JOIN, GraphBuilder, IntArray, Wire


@dataclass(frozen=True, slots=True)
class MvmTiming:
    """Cycles of the stages of an MVM, which takes one read for each bit of its inputs.

    Args: shift_add_cycles: from a read's last conversion to its sum with the reads before it;
        register_cycles: from the last sum to the output register.
    """

    input_bits: int
    read_cycles: int
    adc_cycles: int
    shift_add_cycles: int
    register_cycles: int

    @property
    def interval(self) -> int:
        """Between two reads: a sample is held until the one before it has been converted."""
        return max(self.read_cycles, self.adc_cycles)

    @property
    def occupancy(self) -> int:
        """Cycles for which the arrays are held."""
        return self.input_bits * self.interval

    @property
    def latency(self) -> int:
        """From the first read to the result in the output register."""
        last_read = (self.input_bits - 1) * self.interval
        conversion = self.read_cycles + self.adc_cycles
        return last_read + conversion + self.shift_add_cycles + self.register_cycles


@dataclass(frozen=True, slots=True)
class ReadActions:
    """How often one read does each action, by the stage that does it."""

    read: Mapping[str, float]
    sample: Mapping[str, float]
    convert: Mapping[str, float]
    add: Mapping[str, float]

    def of_reads(self, reads: int) -> dict[str, float]:
        """The actions of so many reads, all stages together."""
        stages = (self.read, self.sample, self.convert, self.add)
        return {action: reads * number for stage in stages for action, number in stage.items()}


@dataclass(frozen=True, slots=True)
class ReadStages:
    """The arrays of a matrix, and what stands behind them, as resources of their own.

    Args: name: of the arrays, and with a suffix of each stage; part: the class that utilisation is
        reported for, with the same suffixes; copies: of the matrix.
    """

    name: str
    part: str
    copies: int
    timing: MvmTiming
    actions: ReadActions

    def run(self, token: IntArray, after: Sequence[Wire], graph: GraphBuilder) -> tuple[Wire, Wire]:
        """One MVM a token, all reads of which are ready, in their order, with its input.

        Timing: a read holds the arrays for a read interval, and its sample is there after the read. Then
        come its conversion, its shift-and-add and, behind those of all reads, the register write. They
        are pipelined: each takes up something new when the arrays give something new, so that none waits.
        Returns: (tokens,) the first reads, and the tasks after which the results may be used.
        """
        timing, actions, bits = self.timing, self.actions, self.timing.input_bits
        begin = graph.join(after, token)
        each = np.repeat(token, bits)
        arrays = graph.resource(self.name, self.part, copies=self.copies)
        input_ready = [np.repeat(begin, bits)]
        reads = graph.add(
            arrays, timing.interval, timing.read_cycles, each, input_ready, actions.read, together=bits
        )
        samples = graph.add(JOIN, 0, 0, each, [reads], actions.sample)
        conversions = self._stage("adc", timing.adc_cycles, each, samples, actions.convert, graph)
        sums = self._stage("shift_add", timing.shift_add_cycles, each, conversions, actions.add, graph)
        of_token = sums.reshape(-1, bits)
        results = self._stage("output_register", timing.register_cycles, token, of_token, {}, graph)
        return reads[::bits], graph.span(begin, results)

    def _stage(
        self,
        suffix: str,
        cycles: int,
        token: IntArray,
        after: Wire,
        actions: Mapping[str, float],
        graph: GraphBuilder,
    ) -> Wire:
        """A task for each read, or for each MVM where ``after`` are its reads; a join if it takes no time."""
        if not cycles:
            return graph.add(JOIN, 0, 0, token, [after], actions)
        resource = graph.resource(f"{self.name}.{suffix}", f"{self.part}.{suffix}", copies=self.copies)
        mvm = after.ndim > 1
        spacing = self.timing.occupancy if mvm else self.timing.interval
        together = 1 if mvm else self.timing.input_bits
        return graph.add(resource, min(cycles, spacing), cycles, token, [after], actions, together)
