"""Sweeps: designs a second, what a design costs where, and a store of 100 thousand points.

Method: a store of made-up points: opening it and filtering by two columns, and the memory of a sweep that
finds all its points in it. Then three sweeps of BERT-Large with 128 tokens, on as many processes as there
are cores, each into a store of its own, with the stream and without. In the first every design has another
schedule; in the second their graphs differ in counts of actions; in the third in costs. The rate counts from
the first answer to the last, and suffers from other work on the machine: of several sweeps, in turn, the
median is printed, the least and the most. The processor time is that of all workers from their first answer
on, by design: cores / processor time is the rate of a machine without other work. Then one design, stage by
stage, in processor time too.

    python benchmarks/sweep.py [--points 100000] [--repeat 3]
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import statistics
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import archsim
from archsim import pipeline
from archsim.explore.evaluate import ENGINE
from archsim.explore.executor import Progress
from archsim.explore.space import read_space
from archsim.explore.store import Outcome, open_for_sweep, open_store
from archsim.explore.structure import Timing, structure
from archsim.explore.subject import read_subject
from archsim.mapping.build import map_trace
from archsim.results.metrics import METRICS

HARDWARE, TRACE = "hwconfigs/hyflexpim.yaml", "workloads/bert_large.trace"
SWEEPS = {
    "another schedule each": {
        "mapping.slc_rate": "0.05:0.28:0.01",
        "pu.parts.analog.array.read_ns": "80:120:10",
    },
    "other counts of actions": {"mapping.replication": "none", "mapping.slc_rate": "0.01:0.6:0.01"},
    "other costs": {"pu.parts.analog.adc.cost.active_power_mw": "1:400:1"},
}


class Clock:
    """Notes when answers come, and what the workers had used by then."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.used: list[float] = []

    def tell(self, progress: Progress, outcome: Outcome | None) -> None:
        if outcome is not None:
            self.times.append(time.perf_counter())
            self.used.append(sum(map(used_s, children())))

    def rate(self) -> float:
        return (len(self.times) - 1) / (self.times[-1] - self.times[0])

    def used_ms(self) -> float:
        return 1000 * (self.used[-1] - self.used[0]) / (len(self.used) - 1)


def children() -> list[int]:
    """The processes that this one has started."""
    return [int(number) for number in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def used_s(process: int) -> float:
    """The processor time of a process, in s."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rates(repeat: int) -> None:
    """Designs a second."""
    clocks: dict[tuple[bool, str], list[Clock]] = {}
    for _ in range(repeat):
        for stream in (True, False):
            for name, space in SWEEPS.items():
                clock = Clock()
                archsim.sweep(HARDWARE, TRACE, space, stream=stream, tell=clock.tell)
                clocks.setdefault((stream, name), []).append(clock)
    title = f"sweep of {archsim.load_trace(TRACE).model}, designs with"
    print(
        f"{title:36}{'stream':>8}{'designs':>9}{'a second':>10}{'least':>8}{'most':>8}{'cpu ms each':>13}"
        f"{'cores / cpu':>13}"
    )
    cores = len(os.sched_getaffinity(0))
    for (stream, name), rounds in clocks.items():
        a_second = [clock.rate() for clock in rounds]
        used_ms = statistics.median(clock.used_ms() for clock in rounds)
        print(
            f"{name:36}{'yes' if stream else 'no':>8}{len(rounds[0].times):9}"
            f"{statistics.median(a_second):10.1f}{min(a_second):8.1f}{max(a_second):8.1f}{used_ms:13.0f}"
            f"{1000 * cores / used_ms:13.1f}"
        )


def stages() -> None:
    """Milliseconds of processor time of one design, each stage the least of five."""

    def least(name: str, make: Callable[[], object]) -> None:
        times = []
        for _ in range(5):
            begin = time.process_time()
            make()
            times.append(time.process_time() - begin)
        print(f"{name:36}{1000 * min(times):8.1f} ms")

    subject = read_subject(HARDWARE, TRACE)
    trace = subject.trace
    machine = subject.machine({"mapping.slc_rate": 0.1})
    plan, graph = pipeline.prepare(machine, trace)
    settled = pipeline.settle(pipeline.run_prepared(machine, trace, plan, graph, engine=ENGINE, stream=True))
    result = pipeline.priced(settled)
    print()
    least("build the machine", lambda: subject.machine({"mapping.slc_rate": 0.1}))
    least("key of its structure", lambda: structure(machine.model))
    least("map", lambda: map_trace(machine, trace))
    least("map and build the graph", lambda: pipeline.prepare(machine, trace))
    timing, same = Timing(graph), Timing(pipeline.prepare(machine, trace)[1])
    least("find an equal timing", lambda: {timing: 0}[same])
    least("run one inference", lambda: pipeline.run_prepared(machine, trace, plan, graph, engine=ENGINE))
    least("measure the stream, find bounds", lambda: pipeline.settle(settled.inference))
    least("price and collect", lambda: pipeline.priced(settled))
    least("write and compress the result", lambda: zlib.compress(result.to_compact_json().encode()))


def store(points: int) -> None:
    """A store of made-up points."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "sweep.db")
        subject = read_subject(HARDWARE, TRACE)
        space = {"mapping.slc_rate": f"0:{(points - 1) / 1e6}:0.000001"}
        with open_for_sweep(file) as opened:
            opened.add_paths(space)
            begin = time.perf_counter()
            full = read_space(space)
            for number in range(points):
                settings = full.settings(number)
                key = hashlib.sha256(b"%d" % number).digest()
                outcome = Outcome(key, "m", "w", "ok", "", dict.fromkeys(METRICS, float(number)), b"x" * 4000)
                opened.record(subject.request(settings), settings, outcome)
            wrote = time.perf_counter() - begin
        print(f"\nstore of {points:,} points, {file.stat().st_size / 1e6:.0f} MB")
        print(f"{'record a point':36}{1e6 * wrote / points:8.0f} us")
        begin = time.perf_counter()
        with open_store(file) as opened:
            table = opened.table(["mapping.slc_rate", "energy_pj", "latency_ns"])
        rows = zip(*table.values(), strict=True)
        some = [row for row in rows if row[1] < points / 2 and row[0] > points / 4e6]
        print(f"{'open, read three columns and filter':36}{1e3 * (time.perf_counter() - begin):8.0f} ms")
        assert 0 < len(some) < points
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        begin = time.perf_counter()
        done = archsim.sweep(HARDWARE, TRACE, space, store=file, many=True)
        assert done.progress.found == points
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        print(f"{'sweep that finds them all':36}{time.perf_counter() - begin:8.1f} s")
        print(f"{'memory that it takes more':36}{grown / 1024:8.0f} MB")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=3, help="sweeps of each kind")
    options = parser.parse_args()
    store(options.points)
    print()
    rates(options.repeat)
    stages()


if __name__ == "__main__":
    main()
