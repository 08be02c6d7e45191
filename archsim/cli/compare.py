"""``archsim compare``: several machines on the same traces."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import archsim
from archsim.cli.options import Verbs, add_technology
from archsim.cli.progress import progress

if TYPE_CHECKING:
    from archsim.hardware.machine import Machine
    from archsim.workload.operations import Trace

Named = TypeVar("Named")

_DESCRIPTION = """\
Run the same traces on several machines: one table of latency, throughput, energy, area and
efficiency, ratios to the first machine, and the parts that make most of each difference."""

_EXAMPLE = """\
A machine may have overrides of its own, behind an @ and with commas between them.

example:
  archsim compare hwconfigs/hyflexpim.yaml hwconfigs/hyflexpim.yaml@mapping.slc_rate=1,mapping.svd=none \\
      --trace workloads/bert_large.trace --technology 65"""


def add_parser(verbs: Verbs) -> None:
    """Declare the verb's arguments."""
    parser = verbs.add_parser(
        "compare", help="run traces on several machines", description=_DESCRIPTION, epilog=_EXAMPLE
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "machines", metavar="HW", nargs="+", help="hardware YAML, or HW@PATH=VALUE,PATH=VALUE"
    )
    parser.add_argument(
        "--trace", metavar="TRACE", dest="traces", action="append", required=True, help="repeatable"
    )
    add_technology(parser)
    parser.add_argument(
        "--no-stream", dest="stream", action="store_false", help="run one inference only, without the stream"
    )
    parser.add_argument("--json", action="store_true", help="print the comparison as JSON")
    parser.add_argument("--csv", metavar="FILE", help="write it as CSV as well")


def run(arguments: argparse.Namespace) -> str:
    """Simulate all pairs, write what is asked for, and return the table or the JSON."""
    from archsim.explore.compare import compare
    from archsim.hardware.technology import at_technology
    from archsim.report.comparison import comparison_csv, comparison_json, comparison_text
    from archsim.results.output import check_file, write_file

    if arguments.csv is not None:
        check_file(arguments.csv)
    machines: dict[str, Machine] = {}
    for text in arguments.machines:
        file, _, overrides = text.partition("@")
        machine = archsim.load_hardware(file, [each for each in overrides.split(",") if each])
        if arguments.technology is not None:
            machine = at_technology(machine, arguments.technology)
        _add(machines, machine.name + (f" @ {overrides}" if overrides else ""), machine)
    traces: dict[str, Trace] = {}
    for file in arguments.traces:
        _add(traces, Path(file).name.removesuffix(".trace"), archsim.load_trace(file))
    with progress("comparing"):
        entries = compare(machines, traces, stream=arguments.stream)
    written = _nodes(machines.values())
    if arguments.csv is not None:
        write_file(arguments.csv, comparison_csv(entries))
        written += f"\nThe same as CSV is in {arguments.csv}.\n"
    return comparison_json(entries) if arguments.json else comparison_text(entries) + written


def _nodes(machines: Iterable[Machine]) -> str:
    """A warning where machines of different nodes were compared as they are."""
    nodes = {machine.model.system.technology_nm for machine in machines}
    if len(nodes) == 1:
        return ""
    listed = " and ".join(f"{node:g}" for node in sorted(nodes))
    return f"\nThe machines are of different nodes, {listed} nm: --technology compares them at one.\n"


def _add(named: dict[str, Named], name: str, what: Named) -> None:
    """Add under a name that is not taken."""
    count = sum(other == name or other.startswith(f"{name} #") for other in named)
    named[f"{name} #{count + 1}" if count else name] = what
