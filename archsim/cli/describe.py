"""``archsim describe``: what a hardware YAML describes."""

from __future__ import annotations

import argparse
import json

from archsim.cli.options import Verbs, add_machine, load_machine

_DESCRIPTION = """\
Show the machine that a hardware YAML describes: the tree of its parts with counts, capacity, area
and peak power, rolled up, and the assumptions behind its numbers."""

_EXAMPLE = """\
example:
  archsim describe hwconfigs/hyflexpim.yaml --set chip.pus=32"""


def add_parser(verbs: Verbs) -> None:
    """Declare the verb's arguments."""
    parser = verbs.add_parser(
        "describe", help="show the machine of a YAML", description=_DESCRIPTION, epilog=_EXAMPLE
    )
    parser.set_defaults(run=run)
    add_machine(parser)
    parser.add_argument("--json", action="store_true", help="print the same as JSON")


def run(arguments: argparse.Namespace) -> str:
    """Load the machine and return its description."""
    from archsim.report.describe import describe_json, describe_text

    machine = load_machine(arguments.hardware, arguments)
    if arguments.json:
        return json.dumps(describe_json(machine), indent=2)
    return describe_text(machine)
