"""Whole commands in processes of their own, from the shell to the exit, with warm caches.

Method: each command runs once uncounted, so that files and compiled code are in their caches, and then
several times; the table has the medians of wall time and of processor time (user and system, all threads),
the least of each, which is what a machine without other work gives, and the median of the largest memory.
Ratios are to the first row, an interpreter that does nothing but import numpy, in the same run: they hold
where the machine's speed drifts.

    python benchmarks/cold.py [--repetitions 5]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time

HARDWARE = "hwconfigs/hyflexpim.yaml"
COMMANDS = {
    "import numpy": ["-c", "import numpy"],
    "archsim --help": ["-m", "archsim", "--help"],
    "BERT-Large, event engine, one inference": [
        *("-m", "archsim", "simulate", HARDWARE, "workloads/bert_large.trace"),
        *("--engine", "event", "--no-stream"),
    ],
    "BERT-Large, one inference": [
        "-m",
        "archsim",
        "simulate",
        HARDWARE,
        "workloads/bert_large.trace",
        "--no-stream",
    ],
    "BERT-Large, with the stream": ["-m", "archsim", "simulate", HARDWARE, "workloads/bert_large.trace"],
    "BERT-Large 1024, one inference": [
        *("-m", "archsim", "simulate", HARDWARE, "workloads/bert_large_1024.trace", "--no-stream")
    ],
    "Llama-3.2-1B, 2 chips, with the stream": [
        *("-m", "archsim", "simulate", HARDWARE, "workloads/llama3_2_1b.trace", "--set", "system.chips=2")
    ],
}


def run(arguments: list[str]) -> tuple[float, float, float]:
    """Wall seconds, processor seconds and megabytes of one process."""
    begin = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with status {process.returncode}")
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main() -> None:
    """Print a row for each command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args()
    print(f"{'command':42}{'wall s':>8}{'least':>8}{'cpu s':>8}{'least':>8}{'MB':>8}{'ratio':>8}")
    first = 0.0
    for name, arguments in COMMANDS.items():
        run(arguments)
        runs = [run(arguments) for _ in range(options.repetitions)]
        wall, cpu, megabytes = (statistics.median(column) for column in zip(*runs, strict=True))
        least_wall, least_cpu, _ = (min(column) for column in zip(*runs, strict=True))
        first = first or cpu
        times = f"{wall:8.2f}{least_wall:8.2f}{cpu:8.2f}{least_cpu:8.2f}"
        print(f"{name:42}{times}{megabytes:8.0f}{cpu / first:8.1f}")


if __name__ == "__main__":
    main()
