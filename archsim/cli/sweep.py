"""``archsim sweep``: run a trace on many variants of a machine."""

from __future__ import annotations

import argparse
from pathlib import Path

from archsim.cli.options import Verbs
from archsim.errors import Finding, OutputError

_DESCRIPTION = """\
Run a workload trace on many variants of a machine, several at a time. Every point is kept in a store as
soon as it is there: a sweep that was interrupted, or is asked for again, goes on where it was."""

_EXAMPLE = """\
examples:
  archsim sweep hwconfigs/hyflexpim.yaml workloads/bert_large.trace \\
      --set mapping.slc_rate=0:0.3:0.05 --set mapping.replication=whole,ideal --pareto energy,latency
  archsim sweep hwconfigs/hyflexpim.yaml workloads/gpt2.trace --space space.yaml \\
      --sample latin --points 200 --csv points.csv
  archsim sweep hwconfigs/hyflexpim.yaml workloads/bert_large.trace --set trace.tokens=64,128,256"""


def add_parser(verbs: Verbs) -> None:
    """Declare the verb's arguments."""
    parser = verbs.add_parser(
        "sweep", help="run a trace on many variants of a machine", description=_DESCRIPTION, epilog=_EXAMPLE
    )
    parser.set_defaults(run=run)
    parser.add_argument("hardware", metavar="HW", help="hardware YAML, such as hwconfigs/hyflexpim.yaml")
    parser.add_argument("trace", metavar="TRACE", help="workload trace, as archsim trace writes it")
    _add_space(parser)
    parser.add_argument(
        "--pareto", metavar="OBJECTIVES", help="show the Pareto set of these, such as energy,latency,max:tops"
    )
    parser.add_argument("--csv", metavar="FILE", help="write all points as a table")
    parser.add_argument("--json", action="store_true", help="print the points as JSON")
    parser.add_argument(
        "--store", metavar="FILE", default="sweep.db", help="where the points are kept (default: sweep.db)"
    )
    parser.add_argument("--jobs", type=int, metavar="N", help="processes (default: one a core)")
    parser.add_argument(
        "--no-stream",
        dest="stream",
        action="store_false",
        help="leave out the stream, as of archsim simulate",
    )
    parser.add_argument("--yes", action="store_true", help="more than 10,000 points are meant")


def _add_space(parser: argparse.ArgumentParser) -> None:
    """The arguments that say which points there are."""
    parser.add_argument(
        "--set",
        dest="axes",
        metavar="PATH=VALUES",
        action="append",
        default=[],
        help="values of a dotted path: a,b,c or lo:hi:step; trace.tokens, trace.decode_steps, trace.context "
        "and trace.batch are of the trace; repeatable, all are combined",
    )
    parser.add_argument("--space", metavar="FILE", help="axes in a YAML file, see docs/sweep.md")
    parser.add_argument(
        "--sample",
        choices=("grid", "random", "latin"),
        default="grid",
        help="all points (default), or --points of them: random, or with an equal share for each value",
    )
    parser.add_argument("--points", type=int, metavar="N", help="how many to sample")
    parser.add_argument("--seed", type=int, metavar="S", default=0, help="of the sample (default: 0)")


def run(arguments: argparse.Namespace) -> str:
    """Sweep, write what is asked for, and return the table or the JSON."""
    from archsim.cli.sweep_progress import sweep_progress
    from archsim.cli.sweep_table import sweep_json, sweep_text
    from archsim.explore.objectives import parse_objectives
    from archsim.explore.space import combined, read_space
    from archsim.explore.space_file import read_space_file
    from archsim.explore.sweep import sweep

    if arguments.csv is not None:
        _check_table(arguments)
    parts = [] if arguments.space is None else [read_space_file(arguments.space)]
    space = combined(*parts, read_space(arguments.axes))
    paths = [axis.path for axis in space.axes]
    objectives = None if arguments.pareto is None else parse_objectives(arguments.pareto, paths)
    with sweep_progress(objectives[0] if objectives else None) as tell:
        done = sweep(
            arguments.hardware,
            arguments.trace,
            space,
            sampling=arguments.sample,
            points=arguments.points,
            seed=arguments.seed,
            jobs=arguments.jobs,
            store=arguments.store,
            stream=arguments.stream,
            many=arguments.yes,
            tell=tell,
        )
    if arguments.csv is not None:
        done.to_csv(arguments.csv)
    return sweep_json(done, objectives) if arguments.json else sweep_text(done, objectives, arguments.csv)


def _check_table(arguments: argparse.Namespace) -> None:
    """Find out before a long run whether its table can be written.

    Raises: OutputError: when not.
    """
    from archsim.results.output import check_file

    if Path(arguments.csv).resolve() == Path(arguments.store).resolve():
        raise OutputError(Finding("is the store; name another file for the table", arguments.csv))
    check_file(arguments.csv)
