"""Arguments that several verbs share."""

from __future__ import annotations

import argparse
from typing import TypeAlias

from archsim.cli.parser import Parser

Verbs: TypeAlias = "argparse._SubParsersAction[Parser]"
"""What a verb adds its parser to."""


def add_machine(parser: Parser) -> None:
    """The hardware YAML and its overrides."""
    parser.add_argument("hardware", metavar="HW", help="hardware YAML, such as hwconfigs/hyflexpim.yaml")
    parser.add_argument(
        "--set",
        dest="overrides",
        metavar="PATH=VALUE",
        action="append",
        default=[],
        help="override a value of the YAML by its dotted path, such as pu.parts.analog.count=12; repeatable",
    )
