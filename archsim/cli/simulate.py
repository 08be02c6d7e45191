"""``archsim simulate``: run a trace on a machine."""

from __future__ import annotations

import argparse
from pathlib import Path

import archsim
from archsim.cli.options import Verbs, add_machine
from archsim.cli.progress import note, progress
from archsim.cli.timeline import add_timeline, timeline_limits, timeline_of, write_timeline_file

_DESCRIPTION = """\
Run a workload trace on a machine: latency, throughput, energy, area, utilisation, and where the
weights lie. Prints a summary; --out keeps the whole result, of which result.json is the truth."""

_EXAMPLE = """\
example:
  archsim simulate hwconfigs/hyflexpim.yaml workloads/bert_large.trace --out build/bert \\
      --set mapping.slc_rate=0.1 --set pu.parts.digital.count=16"""


def add_parser(verbs: Verbs) -> None:
    """Declare the verb's arguments."""
    parser = verbs.add_parser(
        "simulate", help="run a trace on a machine", description=_DESCRIPTION, epilog=_EXAMPLE
    )
    parser.set_defaults(run=run)
    add_machine(parser)
    parser.add_argument("trace", metavar="TRACE", help="workload trace, as archsim trace writes it")
    parser.add_argument("--out", metavar="DIR", help="write DIR/result.json; the directory must be new")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier result in DIR")
    parser.add_argument("--json", action="store_true", help="print result.json instead of the summary")
    parser.add_argument(
        "--engine",
        choices=("auto", "event", "fast"),
        default="auto",
        help="event: SimPy components; fast: compiled (default: auto, by size; all agree to the cycle)",
    )
    parser.add_argument(
        "--detail",
        choices=("module", "array"),
        default="module",
        help="module: one task a token and matrix shard (default); array: one a read, conversion or row "
        "operation, in the same cycles",
    )
    parser.add_argument(
        "--no-stream",
        dest="stream",
        action="store_false",
        help="run one inference only, without the stream of several that throughput is measured on",
    )
    parser.add_argument(
        "--what-if",
        action="store_true",
        help="run again with what bounds latency and throughput twice as fast, and tell the speed-up",
    )
    add_timeline(parser)


def run(arguments: argparse.Namespace) -> str:
    """Simulate, write what is asked for, and return the summary or the JSON."""
    from archsim.pipeline import measure, run_once
    from archsim.report.summary import summary_text
    from archsim.results.output import check_directory, write_directory

    if arguments.out is not None:
        check_directory(arguments.out, arguments.overwrite)
    limits = timeline_limits(arguments)
    machine = archsim.load_hardware(arguments.hardware, arguments.overrides)
    trace = archsim.load_trace(arguments.trace)
    with progress("simulating"):
        inference = run_once(
            machine,
            trace,
            engine=arguments.engine,
            detail=arguments.detail,
            stream=arguments.stream,
            announce=_announce if arguments.detail == "array" else None,
        )
        timeline = None if limits is None else timeline_of(inference, limits)
        result = measure(inference, what_if=arguments.what_if)
    result_json = result.to_json()
    written = ""
    if arguments.out is not None:
        write_directory(arguments.out, {"result.json": result_json}, arguments.overwrite)
        written = f"\nThe whole result is in {Path(arguments.out, 'result.json')}.\n"
    if timeline is not None:
        written += write_timeline_file(arguments.timeline, timeline)
    return result_json if arguments.json else summary_text(result) + written


def _announce(tasks: int) -> None:
    """Say how large a run at array detail is, before it starts."""
    note(f"archsim: detail array: an inference is {tasks:,} tasks")
