"""Folded streams against the whole machine: where folding says another interval than a long run.

Method: random graphs of 6 to 20 equal layers, of three to nine stages on servers of their own and on a bus
that all share, with barriers and rings between tokens. Each is asked for the loop of as many inferences in
flight as one alone takes least intervals, or a few more. Where the folded loop stands for the machine, and
where the whole machine settles from the guess within three completions, the whole machine is also run from
empty: the interval of the later half of 4 rounds, or of 100 inferences, may be 0.2 % longer at most. A
machine may have several settled states, so the whole machine also runs on for as long from each.

    python benchmarks/folded.py [--graphs 5000] [--seed 1]
"""

from __future__ import annotations

import argparse
import math
import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archsim.errors import SimulationError
from archsim.graph_blocks import Copy
from archsim.sim.fast_engine import FastEngine
from archsim.sim.settle import settle_fastest
from archsim.sim.stream import _Loops
from archsim.sim.warm import consistent, warm_loop
from archsim.task_graph import GraphBuilder, Place, TaskGraph

BUS = "bus"
PATIENCE = 3


@dataclass(frozen=True)
class Stage:
    """A task of every token.

    Args: after: the stage that it follows; barrier: whether it also waits for all tokens of the one before.
    """

    resource: str
    occupancy: int
    latency: int
    after: int
    barrier: bool


@dataclass(frozen=True)
class Shape:
    """A random model: ``ring`` tokens may be between its second and its last stage, 0 for any number."""

    tokens: int
    layers: int
    stages: tuple[Stage, ...]
    servers: dict[str, int]
    ring: int
    barrier: bool

    @classmethod
    def drawn(cls, draw: random.Random) -> Shape:
        """One of them."""
        tokens, layers, busiest = (
            draw.choice([4, 8, 16, 32]),
            draw.choice([6, 8, 12, 20]),
            draw.randint(30, 400),
        )
        message = draw.randint(1, max(1, busiest // (layers * draw.choice([1, 2, 4, 8, 30]))))
        resources = [f"x{number}" for number in range(draw.randint(2, 5))]
        stages = []
        for number in range(draw.randint(3, 9)):
            if number == 0 or draw.random() < 0.15:
                stages.append(Stage(BUS, message, message + draw.randint(0, 20), number, barrier=False))
                continue
            most = draw.choice([busiest, busiest, max(1, busiest // 4)])
            occupancy = draw.choice([busiest, draw.randint(1, most)])
            latency = occupancy + draw.choice(
                [0, 0, draw.randint(0, 2 * busiest), -draw.randint(0, occupancy)]
            )
            after = draw.randint(1, number) if draw.random() < 0.3 else number
            stages.append(
                Stage(draw.choice(resources), occupancy, latency, after, barrier=draw.random() < 0.25)
            )
        servers = {name: draw.choice([1, 1, 1, 2, 8]) for name in resources}
        return cls(
            tokens, layers, tuple(stages), servers, draw.choice([0, 0, 3, 7]), barrier=draw.random() < 0.5
        )

    def graph(self) -> TaskGraph:
        """Its graph."""
        builder, tokens = GraphBuilder(), np.arange(self.tokens, dtype=np.int32)
        done = builder.add(builder.resource("in", "part"), 4, 10, tokens)
        for number in range(3):
            begin = builder.mark()
            done = self._layer(builder, number, done)
        names = [self._renamed(more) for more in range(1, self.layers - 2)]
        size = builder.size - begin.tasks
        builder.repeat(begin, [Copy(more, more, name) for more, name in enumerate(names, 1)])
        builder.begin_operation("out", None)
        builder.place = Place(0)
        last = done + np.int32(size * (self.layers - 3))
        builder.add(builder.resource("out", "part"), 4, 10, tokens, [last])
        return builder.build()

    @staticmethod
    def _renamed(more: int):  # type: ignore[no-untyped-def]
        return lambda name: name.replace("l2.", f"l{2 + more}.")

    def _layer(self, builder: GraphBuilder, number: int, done: NDArray[np.int32]) -> NDArray[np.int32]:
        tokens = np.arange(self.tokens, dtype=np.int32)
        builder.begin_operation(f"l{number}.w", number)
        wires = [done]
        for stage in self.stages:
            before = wires[stage.after]
            if stage.barrier:
                before = builder.join([np.broadcast_to(wires[-1], (self.tokens, self.tokens))], tokens)
            if stage.resource == BUS:
                builder.place = Place(0)
                resource = builder.resource(BUS, "part")
            else:
                builder.place = Place(0, number)
                servers = self.servers[stage.resource]
                resource = builder.resource(f"l{number}.{stage.resource}", "part", servers=servers)
            builder.place = Place(0, number)
            wires.append(builder.add(resource, stage.occupancy, stage.latency, tokens, [before]))
        done = builder.join(wires[-2:], tokens)
        if self.ring:
            builder.ring(wires[-1], wires[2], self.ring)
        if self.barrier:
            done = builder.join([np.broadcast_to(done, (self.tokens, self.tokens))], tokens)
        return done


class Count:
    """How many loops a rule has settled, and how many are slower in a long run."""

    def __init__(self) -> None:
        self.settled = self.slower = self.slowed = 0

    def add(self, interval: float, whole: float, onward: float) -> None:
        """Args: whole: interval of a long run from empty; onward: of one that goes on from there."""
        self.settled += 1
        self.slower += whole > interval * 1.002
        self.slowed += onward > interval * 1.002


def from_folded(loops: _Loops, in_flight: int) -> tuple[float, FastEngine] | None:
    """The interval of a folded loop that stands for the machine, and the whole machine in its state."""
    loop = loops._folded(in_flight)
    if loop is None:
        return None
    start = consistent(loops._graph, loop.start, loops.bound_cycles)
    assert start is not None
    return loops.bound_cycles, loops._run(in_flight, warm_loop(start, in_flight, loops.bound_cycles))


def from_guess(loops: _Loops, in_flight: int) -> tuple[float, FastEngine] | None:
    """The interval of the whole machine from a guess, if it is the least and a state recurs soon."""
    start = loops._guess(in_flight)
    if start is None:
        return None
    run = loops._run(in_flight, warm_loop(start, in_flight, loops.bound_cycles))
    interval = settle_fastest(run, in_flight, loops.bound_cycles, PATIENCE)
    return None if interval is None else (interval, run)


def long_run(run: FastEngine, in_flight: int) -> float:
    """The interval of a loop after a long time."""
    half = max(2 * in_flight, 50)
    run.advance(2 * half)
    return (run.left[2 * half - 1] - run.left[half - 1]) / half


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--graphs", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)
    graphs, folded, guessed = 0, Count(), Count()
    rules = ((folded, from_folded), (guessed, from_guess))
    for _ in range(arguments.graphs):
        graph = Shape.drawn(draw).graph()
        more = draw.choice([0, 0, 0, 1, 3])
        try:
            loops = _Loops(graph, FastEngine, None)
            in_flight = math.ceil(loops.alone[graph.exit] / loops.bound_cycles) + more
            graphs += 1
            settled = [(each, how(loops, in_flight)) for each, how in rules]
            if not any(found for _, found in settled):
                continue
            whole = long_run(FastEngine(graph, in_flight=in_flight, keep=1), in_flight)
            for count, found in settled:
                if found is not None:
                    count.add(found[0], whole, long_run(found[1], in_flight))
        except SimulationError:
            continue  # a ring that is too small for the tokens that wait for each other
    title = f"streams of {graphs:,} random graphs"
    print(f"{title:44}{'settled':>9}{'slower from empty':>19}{'slower later':>14}")
    print(f"{'folded':44}{folded.settled:9}{folded.slower:19}{folded.slowed:14}")
    print(f"{'whole machine, from the guess':44}{guessed.settled:9}{guessed.slower:19}{guessed.slowed:14}")


if __name__ == "__main__":
    main()
