"""Tasks a second of the engines, on a synthetic encoder and on workloads, as ratios in one run.

Method: a closed loop runs from its first event to the last completion; the time for making the engine
stands apart. Processor time of this process counts; the median and the best of the repetitions are
printed. The synthetic encoder has what lowered transformers have: 40 tasks a token and layer, shared
buses, pipelined units, stages with two copies, joins over all keys, bounded buffers. Each engine runs
once before it is timed where code is compiled, or loaded from disk.

    python benchmarks/engine.py
    python benchmarks/engine.py --trace workloads/bert_large_1024.trace --inferences 1
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

import archsim
from archsim.mapping.build import map_trace
from archsim.schedule.lower import lower
from archsim.sim.engines import choose_engine
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


def rate(name: str, graph: TaskGraph, options: argparse.Namespace) -> float:
    """Tasks a second of one engine: the median of the repetitions; prints the best too."""
    inferences = options.inferences if name == "event" else 10 * options.inferences
    engine = choose_engine(name, len(graph))
    tasks = len(graph) * inferences
    engine(graph, inferences=1).advance(1)
    running, making = [], []
    for _ in range(options.repetitions):
        begin = time.process_time()
        run = engine(graph, in_flight=options.in_flight, inferences=inferences, keep=1)
        made = time.process_time()
        run.advance()
        making.append(made - begin)
        running.append(time.process_time() - made)
    median = tasks / statistics.median(running)
    print(
        f"  {name:5}  {median:12,.0f} tasks/s, best {tasks / min(running):12,.0f}; "
        f"making the engine {1000 * statistics.median(making):.1f} ms"
    )
    return median


def lowering(hardware: str, trace: str, repetitions: int) -> TaskGraph:
    """The graph of a workload; prints how long building it takes, and running an inference."""
    machine, work = archsim.load_hardware(hardware), archsim.load_trace(trace)
    plan = map_trace(machine, work)
    engine = choose_engine("fast", 1)
    building, running = [], []
    for _ in range(repetitions + 1):
        begin = time.process_time()
        graph = lower(machine, work, plan)
        built = time.process_time()
        engine(graph, inferences=1).advance(1)
        building.append(built - begin)
        running.append(time.process_time() - built)
    build, run = (1000 * statistics.median(times[1:]) for times in (building, running))
    print(
        f"{trace}: {len(graph):,} tasks, built in {build:.0f} ms, made into an engine and run in {run:.0f} ms"
    )
    return graph


def compare(graph: TaskGraph, options: argparse.Namespace) -> None:
    """Both engines on one graph, and their ratio."""
    rates = {name: rate(name, graph, options) for name in ("event", "fast")}
    print(f"  fast / event: {rates['fast'] / rates['event']:.1f}")


def main() -> None:
    """Print what is run, and tasks a second of each engine."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hardware", default="hwconfigs/hyflexpim.yaml")
    parser.add_argument("--trace", action="append", help="workloads; default: BERT-Large, 128 tokens")
    parser.add_argument(
        "--inferences", type=int, default=3, help="for the event engine; fast: ten times that"
    )
    parser.add_argument("--in-flight", type=int, default=2)
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args()
    synthetic = encoder(24, 128)
    print(f"synthetic encoder: {len(synthetic):,} tasks")
    compare(synthetic, options)
    for trace in options.trace or ["workloads/bert_large.trace"]:
        compare(lowering(options.hardware, trace, options.repetitions), options)


if __name__ == "__main__":
    main()
