"""``archsim simulate``: run a trace on a machine."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import archsim
from archsim.cli.options import Verbs, add_machine, load_machine
from archsim.cli.parser import Parser
from archsim.cli.progress import note, progress
from archsim.cli.timeline import add_timeline, timeline_limits, timeline_of, write_timeline_file
from archsim.errors import ArchsimError, Finding

if TYPE_CHECKING:
    from archsim.hardware.machine import Machine
    from archsim.pipeline import Inference
    from archsim.results.record import Result

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
    _add_output(parser)
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
    parser.add_argument(
        "--activity",
        metavar="FILE",
        help="ones in the inputs as measured on real data, where time or energy depends on them; without it "
        "the hardware YAML's statement holds",
    )
    add_timeline(parser)


def _add_output(parser: Parser) -> None:
    """What is written and printed."""
    parser.add_argument("--out", metavar="DIR", help="write DIR/result.json; the directory must be new")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier result in DIR")
    parser.add_argument(
        "--plots",
        action="store_true",
        help="draw energy, area, utilisation and a few tokens in the pipeline into DIR as well",
    )
    parser.add_argument("--json", action="store_true", help="print result.json instead of the summary")


def run(arguments: argparse.Namespace) -> str:
    """Simulate, write what is asked for, and return the summary or the JSON."""
    from archsim.pipeline import measure, run_once
    from archsim.report.summary import summary_text
    from archsim.results.output import check_directory, write_directory

    if arguments.out is not None:
        check_directory(arguments.out, arguments.overwrite)
    elif arguments.plots:
        raise ArchsimError(Finding("needs a directory for the pictures; name one with --out", path="--plots"))
    limits = timeline_limits(arguments)
    machine = _measured(load_machine(arguments.hardware, arguments), arguments.activity)
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
        pictures = _pictures(inference, result) if arguments.plots else {}
        write_directory(arguments.out, {"result.json": result_json, **pictures}, arguments.overwrite)
        beside = f", beside {', '.join(pictures)}" if pictures else ""
        written = f"\nThe whole result is in {Path(arguments.out, 'result.json')}{beside}.\n"
    if timeline is not None:
        written += write_timeline_file(arguments.timeline, timeline)
    return result_json if arguments.json else summary_text(result) + written


def _measured(machine: Machine, file: str | None) -> Machine:
    """The machine with the measured activity of a file, if there is one."""
    if file is None:
        return machine
    from archsim.crossbar.activity import load_activity, with_activity

    return with_activity(machine, load_activity(file))


def _pictures(inference: Inference, result: Result) -> dict[str, bytes]:
    """The main pictures by file name; one that cannot be drawn is left out with a note."""
    from archsim.report.plots.draw import main_pictures
    from archsim.report.plots.run_view import RunView

    view = RunView(inference.graph, inference.start, inference.machine.clock_ghz, inference.prices)
    with progress("drawing"):
        return main_pictures(result, view, lambda text: note(f"archsim: {text}"))


def _announce(tasks: int) -> None:
    """Say how large a run at array detail is, before it starts."""
    note(f"archsim: detail array: an inference is {tasks:,} tasks")
