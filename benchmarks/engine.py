"""Tasks a second of an engine, on a synthetic encoder and on a workload of the repository.

Method: a closed loop runs from its first event to the last completion; the time for making the engine
(lists from arrays) stands apart. Processor time of this process counts, the best and the median of
the repetitions are printed. The synthetic encoder has what lowered transformers have: 40 tasks a token and
layer, shared buses, pipelined units, stages with two copies, joins over all keys, bounded buffers.
Reach on a 2-core machine: 200 thousand tasks/s for the event engine.

    python benchmarks/engine.py
    python benchmarks/engine.py --hardware hwconfigs/hyflexpim.yaml --trace workloads/bert_large.trace
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

import archsim
from archsim.mapping.build import map_trace
from archsim.schedule.lower import lower
from archsim.sim.engine import Engine
from archsim.sim.engines import ENGINES, choose_engine
from archsim.task_graph import GraphBuilder, IntArray, Place, TaskGraph, Wire

MATRICES = ("q", "k", "v", "o", "ffn1", "ffn2")


def add_matrix(graph: GraphBuilder, name: str, token: IntArray, after: Wire, cycles: int) -> Wire:
    """One MVM a token: over the bus to the arrays, two shards of which the second is converted later."""
    bus = graph.resource("bus", "bus")
    moved = graph.add(bus, 3, 5, token, [after])
    shards = [
        graph.add(
            graph.resource(f"analog.{name}.{shard}", "analog", copies=2), cycles, cycles + 120, token, [moved]
        )
        for shard in range(2)
    ]
    added = graph.add(graph.resource(f"adder.{name}", "analog"), 2, 2, token, shards)
    return graph.add(bus, 3, 5, token, [added])


def add_layer(graph: GraphBuilder, token: IntArray, after: Wire) -> Wire:
    """An encoder layer: 40 tasks a token."""
    sfu, digital = graph.resource("sfu", "sfu"), graph.resource("digital", "digital", servers=2)
    q, k, v = (add_matrix(graph, name, token, after, 400) for name in MATRICES[:3])
    written = graph.add(digital, 8, 8, token, [k, v])
    keys = graph.join(written[None, :], np.array([-1]))
    scores = graph.add(digital, 60, 60, token, [q, np.broadcast_to(keys, token.shape)])
    maximum = graph.add(sfu, 4, 20, token, [scores])
    powers = graph.add(sfu, 4, 20, token, [maximum])
    softmax = graph.add(sfu, 4, 20, token, [powers])
    graph.ring(softmax, scores, 32)
    context = graph.add(digital, 60, 60, token, [softmax])
    out = add_matrix(graph, "o", token, context, 400)
    normed = graph.add(sfu, 4, 30, token, [out, after])
    hidden = add_matrix(graph, "ffn1", token, normed, 421)
    activated = graph.add(sfu, 16, 40, token, [hidden])
    graph.ring(activated, hidden, 16, from_start=True)
    back = add_matrix(graph, "ffn2", token, activated, 421)
    done = graph.add(sfu, 4, 30, token, [back, normed])
    return graph.add(graph.resource("link", "interconnect"), 8, 12, token, [done])


def encoder(layers: int, tokens: int) -> TaskGraph:
    """An encoder with one PU a layer."""
    graph = GraphBuilder()
    token = np.arange(tokens, dtype=np.int32)
    value = graph.add(graph.resource("input", "global_bus"), 8, 12, token)
    for layer in range(layers):
        graph.place = Place(0, layer)
        graph.begin_operation(f"l{layer}", layer)
        value = add_layer(graph, token, value)
    return graph.build()


def measure(engine: type[Engine], graph: TaskGraph, inferences: int, in_flight: int) -> tuple[float, float]:
    """Seconds for making an engine, and for running it."""
    begin = time.process_time()
    run = engine(graph, in_flight=in_flight, inferences=inferences, keep=1)
    made = time.process_time()
    run.advance()
    return made - begin, time.process_time() - made


def main() -> None:
    """Print what is run, and tasks a second."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", choices=ENGINES, default="event")
    parser.add_argument("--hardware", help="a hardware YAML, together with --trace")
    parser.add_argument("--trace", help="run this workload instead of the synthetic encoder")
    parser.add_argument("--layers", type=int, default=24, help="of the synthetic encoder")
    parser.add_argument("--tokens", type=int, default=128, help="of the synthetic encoder")
    parser.add_argument("--inferences", type=int, default=4)
    parser.add_argument("--in-flight", type=int, default=2)
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args()
    if options.trace:
        machine, trace = archsim.load_hardware(options.hardware), archsim.load_trace(options.trace)
        graph = lower(machine, trace, map_trace(machine, trace))
    else:
        graph = encoder(options.layers, options.tokens)
    edges = len(graph.on_finish.target) + len(graph.on_start.target)
    print(
        f"{len(graph)} tasks, {edges} edges; {options.inferences} inferences, {options.in_flight} in flight"
    )
    engine = choose_engine(options.engine)
    times = [
        measure(engine, graph, options.inferences, options.in_flight) for _ in range(options.repetitions)
    ]
    tasks = len(graph) * options.inferences
    running = [run for _, run in times]
    print(f"making the {options.engine} engine: {statistics.median(making for making, _ in times):.3f} s")
    print(
        f"running it: {tasks / min(running):,.0f} tasks/s (median {tasks / statistics.median(running):,.0f})"
    )


if __name__ == "__main__":
    main()
