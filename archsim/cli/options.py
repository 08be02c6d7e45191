"""Arguments that several verbs share."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, TypeAlias

import archsim
from archsim.cli.parser import Parser

if TYPE_CHECKING:
    from archsim.hardware.machine import Machine

Verbs: TypeAlias = "argparse._SubParsersAction[Parser]"
"""What a verb adds its parser to."""


def add_machine(parser: Parser) -> None:
    """The hardware YAML and what changes it."""
    add_overrides(parser)
    add_technology(parser)


def add_overrides(parser: Parser) -> None:
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


def add_technology(parser: Parser) -> None:
    """The node at which machines are looked at."""
    parser.add_argument(
        "--technology",
        metavar="NM",
        type=float,
        help="scale all costs from the YAML's node to NM (Stillmaker and Baas 2017), such as 65",
    )


def load_machine(file: str, arguments: argparse.Namespace) -> Machine:
    """The machine of a YAML, with the overrides and at the node that the arguments name."""
    from archsim.hardware.technology import at_technology

    machine = archsim.load_hardware(file, arguments.overrides)
    return machine if arguments.technology is None else at_technology(machine, arguments.technology)
