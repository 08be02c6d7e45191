"""The analog MVM, read by read: its timing, its actions, and at array detail its stages as tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archsim.task_graph import JOIN, GraphBuilder, IntArray, Wire

Numbers = NDArray[np.float64] | float
"""One number for all, or one each."""


@dataclass(frozen=True, slots=True)
class MvmTiming:
    """Cycles of the stages of an MVM.

    Args: reads: that an input takes, one number or (tokens,); shift_add_cycles: from a read's last conversion
        to its sum with the reads before it; register_cycles: from the last sum to the output register.
    """

    reads: IntArray | int
    read_cycles: int
    adc_cycles: int
    shift_add_cycles: int
    register_cycles: int

    @property
    def interval(self) -> int:
        """Between two reads: a sample is held until the one before it has been converted."""
        return max(self.read_cycles, self.adc_cycles)

    @property
    def occupancy(self) -> IntArray | int:
        """Cycles for which the arrays are held: one number, or (tokens,)."""
        return self.reads * self.interval

    @property
    def latency(self) -> IntArray | int:
        """From the first read to the result in the output register: one number, or (tokens,)."""
        last_read = (self.reads - 1) * self.interval
        conversion = self.read_cycles + self.adc_cycles
        return last_read + conversion + self.shift_add_cycles + self.register_cycles


@dataclass(frozen=True, slots=True)
class ReadActions:
    """How often an input does each action, in all its reads together, by the stage that does it.

    One number for all inputs, or (tokens,).
    """

    read: Mapping[str, Numbers]
    sample: Mapping[str, Numbers]
    convert: Mapping[str, Numbers]
    add: Mapping[str, Numbers]

    @property
    def total(self) -> dict[str, Numbers]:
        """All stages together."""
        stages = (self.read, self.sample, self.convert, self.add)
        return {action: number for stage in stages for action, number in stage.items()}


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
        timing, actions = self.timing, self.actions
        reads = np.broadcast_to(timing.reads, token.shape)
        ends = np.cumsum(reads)
        begin = graph.join(after, token)
        each = np.repeat(token, reads)
        arrays = graph.resource(self.name, self.part, copies=self.copies)

        def of_each_read(stage: Mapping[str, Numbers]) -> dict[str, Numbers]:
            shares = {action: number / timing.reads for action, number in stage.items()}
            return {
                action: np.repeat(share, reads) if isinstance(share, np.ndarray) else share
                for action, share in shares.items()
            }

        on_arrays = graph.add(
            arrays,
            timing.interval,
            timing.read_cycles,
            each,
            [np.repeat(begin, reads)],
            of_each_read(actions.read),
            together=reads,
        )
        samples = graph.add(JOIN, 0, 0, each, [on_arrays], of_each_read(actions.sample))
        converted = of_each_read(actions.convert)
        conversions = self._stage("adc", timing.adc_cycles, each, samples, converted, graph, reads)
        added = of_each_read(actions.add)
        sums = self._stage("shift_add", timing.shift_add_cycles, each, conversions, added, graph, reads)
        last = sums[ends - 1]
        results = self._stage("output_register", timing.register_cycles, token, last, {}, graph)
        graph.edge(np.delete(sums, ends - 1), np.repeat(results, reads - 1))
        return on_arrays[ends - reads], graph.span(begin, results)

    def _stage(
        self,
        suffix: str,
        cycles: int,
        token: IntArray,
        after: Wire,
        actions: Mapping[str, Numbers],
        graph: GraphBuilder,
        reads: IntArray | None = None,
    ) -> Wire:
        """A task for each read, or for each MVM; a join if it takes no time.

        Args: reads: (tokens,) of each MVM; None for a stage behind all of them. It is then done before the
            next MVM needs it, which holds the arrays for as many reads as the shortest at least.
        """
        if not cycles:
            return graph.add(JOIN, 0, 0, token, [after], actions)
        resource = graph.resource(f"{self.name}.{suffix}", f"{self.part}.{suffix}", copies=self.copies)
        spacing = int(np.min(self.timing.occupancy)) if reads is None else self.timing.interval
        together = 1 if reads is None else reads
        return graph.add(resource, min(cycles, spacing), cycles, token, [after], actions, together)
