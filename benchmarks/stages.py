"""Where the time of a cold main job goes: imports, loading, mapping, lowering, running, the stream.

Method: one process does once what ``archsim simulate`` does, in the same order, and notes the wall time of
each stage and, at the end, the largest memory. Caches of files and of compiled code are warm from the second
call on. The same for a trace of your own, without the stream where it is large:

    python benchmarks/stages.py [--trace FILE] [--chips N] [--no-stream]
"""

from __future__ import annotations

import argparse
import importlib
import resource
import time
from collections.abc import Callable
from typing import TypeVar

Made = TypeVar("Made")

STARTED = time.perf_counter()


def stage(name: str, make: Callable[[], Made]) -> Made:
    """What ``make`` makes; prints how long that took."""
    begin = time.perf_counter()
    made = make()
    print(f"{name:34}{1000 * (time.perf_counter() - begin):8.0f} ms")
    return made


def main() -> None:
    """Print a row for each stage."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hardware", default="hwconfigs/hyflexpim.yaml")
    parser.add_argument("--trace", default="workloads/bert_large.trace")
    parser.add_argument("--chips", type=int, default=1)
    parser.add_argument("--no-stream", dest="stream", action="store_false")
    options = parser.parse_args()
    stage("import numpy", lambda: importlib.import_module("numpy"))
    stage("import pydantic", lambda: importlib.import_module("pydantic"))
    pipeline = stage("import archsim.pipeline", lambda: importlib.import_module("archsim.pipeline"))
    archsim = importlib.import_module("archsim")
    machine = stage(
        "load the machine",
        lambda: archsim.load_hardware(options.hardware, [f"system.chips={options.chips}"]),
    )
    trace = stage("read the trace", lambda: archsim.load_trace(options.trace))
    plan = stage("map", lambda: pipeline.map_trace(machine, trace))
    graph = stage("build the graph", lambda: pipeline.lower(machine, trace, plan))
    engine = stage("import the engine", lambda: pipeline.choose_engine("fast", len(graph)))
    run = stage("make the engine", lambda: engine(graph, inferences=1))
    stage("import LLVM", lambda: importlib.import_module("llvmlite.binding"))
    stage("load its code, run one inference", lambda: run.advance(1))
    again = engine(graph, inferences=1)
    stage("run one inference again", lambda: again.advance(1))
    if options.stream:
        limit = pipeline.in_flight_limit(plan)
        stage("measure the stream", lambda: pipeline.measure_stream(graph, engine, "auto", limit))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{len(graph):,} tasks; {time.perf_counter() - STARTED:.1f} s in all, {peak:.2f} GB")


if __name__ == "__main__":
    main()
