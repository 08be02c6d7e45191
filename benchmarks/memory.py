"""Peak memory of a run, in bytes a task of one inference: what ``archsim.schedule.memory`` estimates with.

Method: the peak resident memory of this process after building the graph, after one inference and after
the stream, less what it was before, over the tasks of one inference. A fresh process for each line.

    python benchmarks/memory.py event 128
    python benchmarks/memory.py fast 512
"""

from __future__ import annotations

import argparse
import resource

from archsim.hardware.loader import load_hardware
from archsim.mapping.build import map_trace
from archsim.schedule.lower import lower
from archsim.sim.engines import ENGINES, choose_engine
from archsim.sim.stream import measure_stream
from archsim.workload.generate import generate


def peak_bytes() -> int:
    """Peak resident memory of this process (Linux counts it in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """Print bytes a task of BERT-Large on the preset."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("engine", choices=[name for name in ENGINES if name != "auto"])
    parser.add_argument("tokens", type=int)
    arguments = parser.parse_args()
    machine = load_hardware("hwconfigs/hyflexpim.yaml")
    trace = generate("bert_large", tokens=arguments.tokens, head=False)
    plan = map_trace(machine, trace)
    engine = choose_engine(arguments.engine, 0)
    before = peak_bytes()
    graph = lower(machine, trace, plan)
    built = peak_bytes()
    engine(graph, inferences=1).advance(1)
    one = peak_bytes()
    stream = measure_stream(graph, engine, "auto", None)
    many = peak_bytes()
    tasks, further = len(graph), stream.in_flight - 1
    print(f"{tasks} tasks, bytes a task")
    print(f"  building the graph           {(built - before) / tasks:6.0f}")
    print(f"  and running one inference    {(one - before) / tasks:6.0f}")
    print(f"  each further one in flight   {(many - one) / tasks / further:6.0f}")


if __name__ == "__main__":
    main()
