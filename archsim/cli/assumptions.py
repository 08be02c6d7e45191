"""``archsim assumptions``: how much a result hangs on each number that is assumed."""

from __future__ import annotations

import argparse

from archsim.cli.options import Verbs, add_overrides
from archsim.cli.progress import progress

_DESCRIPTION = """\
Change each number of a machine that is an assumption, run the trace again, and tell by how much
latency, throughput, energy and area follow: their elasticities, the strongest first."""

_EXAMPLE = """\
example:
  archsim assumptions hwconfigs/nmp.yaml workloads/bert_large.trace --no-stream"""


def add_parser(verbs: Verbs) -> None:
    """Declare the verb's arguments."""
    parser = verbs.add_parser(
        "assumptions",
        help="tell which assumptions a result hangs on",
        description=_DESCRIPTION,
        epilog=_EXAMPLE,
    )
    parser.set_defaults(run=run)
    add_overrides(parser)
    parser.add_argument("trace", metavar="TRACE", help="workload trace, as archsim trace writes it")
    parser.add_argument(
        "--no-stream", dest="stream", action="store_false", help="run one inference only, without the stream"
    )
    parser.add_argument("--json", action="store_true", help="print all of them as JSON")


def run(arguments: argparse.Namespace) -> str:
    """Find all elasticities, and return the table or the JSON."""
    from archsim.explore.elasticity import elasticities
    from archsim.explore.subject import read_subject
    from archsim.hardware.overrides import override_values
    from archsim.report.assumptions import Line, assumptions_json, assumptions_text

    subject = read_subject(arguments.hardware, arguments.trace, stream=arguments.stream)
    settings = override_values(arguments.overrides)
    with progress("trying the assumptions"):
        found = elasticities(subject, settings)
    lines = [Line(each.assumption.path, each.assumption.text, each.values, each.reason) for each in found]
    if arguments.json:
        return assumptions_json(lines)
    machine = subject.machine(settings)
    return assumptions_text(lines, f"{subject.trace.model} on {machine.name}: {len(lines)} assumptions")
