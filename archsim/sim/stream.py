"""The steady state of a stream: a closed loop in which an inference enters when one leaves.

How long to simulate: see ``sim.settle``.

Where it begins. Filling a machine takes most of the time, and shows nothing of the settled stream. So a
graph with many equal layers is folded (``sim.folded``): its first layers run in a closed loop with what the
others share with them. When a state recurs there at the least interval that the machine allows, and all
layers can keep the schedule that it shows, no stream can be faster, and that is the stream. Other graphs
with equal layers begin in a state that ``sim.warm`` guesses; when a state recurs from there at the least
interval, none can be faster either. If not, they begin anew in an empty machine, as all others do. (A loop
may have several settled states. From an empty machine it may need more in flight to come to one as fast.)

How many in flight. Three bounds keep the search short: with k in flight and each inference inside for W
cycles, the mean interval is W / k (Little's law); it is at least the time for which an inference holds the
busiest queue; and an inference in a stream takes no less time than one alone. (The last may fail by a
scheduling anomaly; then ``auto`` may settle on more in flight than needed, never on a wrong interval.)
The search ends early where it would take too many tasks, and says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from archsim.errors import MappingError, SimulationError
from archsim.sim.chain import Chain, start_alone
from archsim.sim.engine import Engine, Queues, Warm
from archsim.sim.folded import FoldedLoop, folded_loop
from archsim.sim.settle import TOLERANCE, remembered, settle, settle_fastest
from archsim.sim.warm import FirstLayers, consistent, continued, first_layers, warm_loop
from archsim.task_graph import TaskGraph

_LIKELY_WINDOWS = 2.5

_PATIENCE = 3
"""Completions in which a state recurs after a good guess; most of them take two."""

MOST_TASKS = 200_000_000
"""``auto`` simulates about this many tasks at most, some 20 s of the fast engine, but always one loop."""


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """A closed loop that has settled.

    Args: in_flight: inferences inside at any time; interval_cycles: mean time between two that leave;
        busy_cycles: (queues,) for which an inference holds each queue, see ``engine.Queues``;
        completions: simulated in this loop, or in the folded one; converged: whether the interval
        settled; start, finish: (tasks,) cycles of the inference that left last; searched: whether
        ``auto`` looked at all the numbers in flight that it wanted to, or stopped for the time that it
        takes.
    """

    in_flight: int
    interval_cycles: float
    busy_cycles: NDArray[np.float64]
    completions: int
    converged: bool
    start: NDArray[np.int64]
    finish: NDArray[np.int64]
    searched: bool = True

    @property
    def bound_cycles(self) -> float:
        """For which an inference holds the busiest queue: no interval is shorter."""
        return float(self.busy_cycles.max())


def measure_stream(
    graph: TaskGraph,
    engine: type[Engine],
    in_flight: int | Literal["auto"],
    limit: int | None,
    alone: NDArray[np.int64] | None = None,
) -> Stream:
    """Measure the closed loop of ``in_flight`` inferences.

    Args: in_flight: ``auto`` takes the smallest number beyond which throughput rises by less than 0.1 %;
        limit: the most inferences that fit beside each other, None: any number; alone: (tasks,) the starts
        of an inference in an empty machine, None where nobody has run one.
    Raises: MappingError: when more inferences are asked for than fit; SimulationError: when tasks wait
        for each other, or nothing bounds the throughput.
    """
    loops = _Loops(graph, engine, alone)
    if not loops.bound_cycles:
        raise SimulationError(
            "no task holds a part of the machine: nothing bounds the throughput of a stream"
        )
    if in_flight == "auto":
        return _search(loops, limit, int(loops.alone[graph.exit]))
    if limit is not None and in_flight > limit:
        raise MappingError(
            f"in_flight: {in_flight} inferences at once need more storage than there is: {limit} fit, "
            f"{in_flight - limit} too many; use {limit} or fewer, or auto"
        )
    return loops.measure(in_flight)


class _Loops:
    """The closed loops of one graph: each is simulated once.

    Args: bound_cycles: the least interval; measured: by number of inferences in flight.
    """

    def __init__(self, graph: TaskGraph, engine: type[Engine], alone: NDArray[np.int64] | None) -> None:
        self.busy_cycles = Queues.of(graph).busy_cycles()
        self.bound_cycles = float(self.busy_cycles.max(initial=0.0))
        self._alone = alone
        self._graph = graph
        self._engine = engine
        self.measured: dict[int, Stream] = {}
        self._inferences = 0.0

    def affordable(self, in_flight: int) -> bool:
        """Whether another loop may be simulated; one always is."""
        likely = self._inferences + _LIKELY_WINDOWS * in_flight
        return not self.measured or in_flight in self.measured or likely * len(self._graph) <= MOST_TASKS

    @cached_property
    def alone(self) -> NDArray[np.int64]:
        """(tasks,) the starts of an inference in an empty machine."""
        return start_alone(self._graph, self._engine) if self._alone is None else self._alone

    @cached_property
    def _chain(self) -> Chain | None:
        return Chain.of(self._graph)

    @cached_property
    def _first_layers(self) -> FirstLayers | None:
        return first_layers(self._graph, self._engine, self.bound_cycles)

    def measure(self, in_flight: int) -> Stream:
        """The loop of ``in_flight`` inferences."""
        if in_flight not in self.measured:
            self.measured[in_flight] = self._simulate(in_flight)
        return self.measured[in_flight]

    def _simulate(self, in_flight: int) -> Stream:
        folded = self._folded(in_flight)
        if folded is not None:
            return self._stream(in_flight, self.bound_cycles, folded.completions, folded.start)
        guess = self._guess(in_flight)
        if guess is not None:
            engine = self._run(in_flight, warm_loop(guess, in_flight, self.bound_cycles))
            interval = settle_fastest(engine, in_flight, self.bound_cycles, _PATIENCE)
            if interval is not None:
                return self._settled(engine, in_flight, interval)
        engine = self._run(in_flight, None)
        interval, converged = settle(engine, in_flight, self.bound_cycles)
        return self._settled(engine, in_flight, interval, converged=converged)

    def _settled(self, engine: Engine, in_flight: int, interval: float, *, converged: bool = True) -> Stream:
        self._inferences += len(engine.left) + in_flight / 2
        return self._stream(in_flight, interval, len(engine.left), engine.last_start(), converged=converged)

    def _stream(
        self,
        in_flight: int,
        interval: float,
        completions: int,
        start: NDArray[np.int64],
        *,
        converged: bool = True,
    ) -> Stream:
        finish = start + self._graph.latency
        return Stream(in_flight, interval, self.busy_cycles, completions, converged, start, finish)

    def _run(self, in_flight: int, warm: Warm | None) -> Engine:
        return self._engine(
            self._graph,
            in_flight=in_flight,
            keep=1,
            warm=warm,
            remember=remembered(self._graph, self.bound_cycles),
        )

    def _may_be_fastest(self, in_flight: int) -> bool:
        """Whether a graph of equal layers may run at the least interval with so many in flight."""
        fastest = self.bound_cycles * (1 + TOLERANCE)
        return bool(self._graph.alike) and in_flight * fastest >= self.alone[self._graph.exit]

    def _folded(self, in_flight: int) -> FoldedLoop | None:
        """The loop in a folded graph, if it stands for the whole machine and is as fast as any."""
        if not self._may_be_fastest(in_flight) or self._chain is None or self._first_layers is None:
            return None
        first = self._first_layers
        return folded_loop(self._chain, self._engine, first, self.alone, in_flight, self.bound_cycles)

    def _guess(self, in_flight: int) -> NDArray[np.int64] | None:
        """(tasks,) starts of an inference in the loop, if it may be as fast as any.

        All layers are passed like the first; an inference enters when another leaves, and no sooner.
        """
        if not self._may_be_fastest(in_flight) or self._first_layers is None:
            return None
        start = continued(self._graph, self._first_layers.start, self.alone)
        enters = math.floor(start[self._graph.exit] - in_flight * self.bound_cycles)
        np.maximum(start, enters + self.alone, out=start)
        return consistent(self._graph, start, self.bound_cycles)


def _search(loops: _Loops, limit: int | None, latency: int) -> Stream:
    """The smallest loop beyond which throughput rises by less than the tolerance.

    Of those that may be as fast as the fastest, inferences inside for no longer than one alone.
    """
    first = math.ceil(latency / loops.bound_cycles)
    best, searched = _gallop(loops, first, limit)
    enough = best.interval_cycles * (1 + TOLERANCE)
    if best.interval_cycles > loops.bound_cycles * (1 + TOLERANCE):
        first = math.ceil(latency / best.interval_cycles)
    low, high = max(1, first), best.in_flight
    for in_flight, loop in loops.measured.items():
        if loop.interval_cycles <= enough:
            high = min(high, in_flight)
        elif in_flight < high:
            low = max(low, in_flight + 1)
    while low < high and searched:
        middle = (low + high) // 2
        searched = loops.affordable(middle)
        if not searched:
            break
        if loops.measure(middle).interval_cycles <= enough:
            high = middle
        else:
            low = middle + 1
    return replace(loops.measure(high), searched=searched)


def _gallop(loops: _Loops, first: int, limit: int | None) -> tuple[Stream, bool]:
    """The fastest loop on the way up from ``first``, until more in flight bring nothing or do not fit.

    Returns: the loop, and whether the way was not cut short.
    """
    most = math.inf if limit is None else limit
    best = loops.measure(int(max(1, min(first, most))))
    while best.in_flight < most and best.interval_cycles > loops.bound_cycles * (1 + TOLERANCE):
        inside_cycles = best.in_flight * best.interval_cycles
        needed = max(math.ceil(inside_cycles / loops.bound_cycles), math.ceil(1.25 * best.in_flight))
        in_flight = int(min(needed, 2 * best.in_flight, most))
        if not loops.affordable(in_flight):
            return best, False
        more = loops.measure(in_flight)
        gains = more.interval_cycles * (1 + TOLERANCE) <= best.interval_cycles
        best = min(best, more, key=lambda loop: loop.interval_cycles)
        if not gains:
            break
    return best, True
