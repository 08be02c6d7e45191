"""Tasks a second of the event engine.

Method: a synthetic encoder in the shape of what lowering a transformer gives (46 tasks a token and layer,
two thirds of the edges inside a token, joins over all keys, a bounded buffer with start-to-start edges,
shared buses, stages with two copies) runs as a closed loop. The clock runs from the first event to the
last completion, the median of three runs counts; making the engine (lists from arrays) stands apart.

    python benchmarks/engine.py [--layers 24] [--tokens 128] [--inferences 4] [--in-flight 2]
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

from archsim.sim.event_engine import EventEngine
from archsim.task_graph import GraphBuilder, Place, TaskGraph, Wire

MATRICES = ("q", "k", "v", "o", "ffn1", "ffn2")


def add_matrix(graph: GraphBuilder, name: str, token: np.ndarray, after: Wire, cycles: int) -> Wire:
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


def add_layer(graph: GraphBuilder, token: np.ndarray, after: Wire) -> Wire:
    """An encoder layer: 46 tasks a token."""
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


def main() -> None:
    """Print one line for the making of the engine, and one for running it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--layers", type=int, default=24)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--inferences", type=int, default=4)
    parser.add_argument("--in-flight", type=int, default=2)
    options = parser.parse_args()
    graph = encoder(options.layers, options.tokens)
    making, running = [], []
    for _ in range(3):
        begin = time.perf_counter()
        engine = EventEngine(graph, in_flight=options.in_flight, inferences=options.inferences, keep=1)
        made = time.perf_counter()
        engine.advance()
        running.append(time.perf_counter() - made)
        making.append(made - begin)
    tasks = len(graph) * options.inferences
    edges = len(graph.on_finish.target) + len(graph.on_start.target)
    print(f"graph: {len(graph)} tasks, {edges} edges; made in {statistics.median(making):.3f} s")
    print(f"event engine: {tasks / statistics.median(running):,.0f} tasks/s")


if __name__ == "__main__":
    main()
