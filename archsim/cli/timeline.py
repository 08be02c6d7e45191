"""The options of ``archsim simulate`` that ask for a timeline, and what is done about them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from archsim.cli.parser import Parser
from archsim.cli.progress import progress
from archsim.errors import ArchsimError, Finding

if TYPE_CHECKING:
    from archsim.pipeline import Inference
    from archsim.report.timeline import Timeline
    from archsim.report.timeline_limits import Limits

_LARGE = 1_000_000
"""Slices beyond which the size of the file is announced: about 150 MB."""


def add_timeline(parser: Parser) -> None:
    """Declare the options."""
    group = parser.add_argument_group("timeline of one inference")
    group.add_argument(
        "--timeline",
        metavar="FILE",
        help="write a Chrome trace event file, for https://ui.perfetto.dev; compressed if FILE ends with .gz",
    )
    group.add_argument(
        "--timeline-window", metavar="START:END", help="draw what runs from START to END only, in ns"
    )
    group.add_argument(
        "--timeline-layers", metavar="LAYERS", help="draw these layers only, such as 0,4-7,outside"
    )
    group.add_argument(
        "--timeline-classes",
        metavar="CLASSES",
        help="draw resources of these classes only, as the summary lists them, such as analog,bus",
    )


def timeline_limits(arguments: argparse.Namespace) -> Limits | None:
    """What the timeline is limited to; None where none is asked for.

    Raises: ArchsimError: for options that are wrong, and a file that cannot be written, before anything runs.
    """
    from archsim.report.timeline_limits import parse_limits
    from archsim.results.output import check_file

    texts = arguments.timeline_window, arguments.timeline_layers, arguments.timeline_classes
    if arguments.timeline is None:
        for option, text in zip(("window", "layers", "classes"), texts, strict=True):
            if text is not None:
                what = "limits a timeline, and none is asked for; name its file with --timeline FILE"
                raise ArchsimError(Finding(what, path=f"--timeline-{option}"))
        return None
    limits = parse_limits(*texts)
    if (
        arguments.out is not None
        and Path(arguments.out).resolve() in Path(arguments.timeline).resolve().parents
    ):
        what = "lies in the directory of --out, which holds a result and nothing else; name another place"
        raise ArchsimError(Finding(what, arguments.timeline))
    check_file(arguments.timeline)
    return limits


def timeline_of(inference: Inference, limits: Limits) -> Timeline:
    """The timeline of an inference with its critical path.

    Raises: ArchsimError: when the limits leave nothing, or name what there is not.
    """
    from archsim.report.timeline import build_timeline
    from archsim.sim.critical_path import critical_path

    return build_timeline(
        inference.graph,
        inference.start,
        inference.machine.clock_ghz,
        inference.prices,
        limits=limits,
        path=critical_path(inference.graph, inference.start).tasks,
    )


def write_timeline_file(file: str, timeline: Timeline) -> str:
    """Write the timeline, with its size on stderr ahead if it is large; returns what the summary says of it.

    Raises: OutputError: when it cannot be written.
    """
    from archsim.report.timeline import write_timeline

    if timeline.slices > _LARGE:
        print(_announcement(timeline), file=sys.stderr)
    with progress("writing the timeline"):
        write_timeline(file, timeline)
    return (
        f"\nThe timeline of one inference is in {file}, {timeline.slices:,} slices: "
        "open it with https://ui.perfetto.dev.\n"
    )


def _announcement(timeline: Timeline) -> str:
    """How large a timeline will be, and what makes it smaller."""
    return (
        f"archsim: the timeline has {timeline.slices:,} slices, about "
        f"{timeline.estimated_bytes() / 1e6:,.0f} MB before compression; --timeline-window, "
        "--timeline-layers and --timeline-classes limit it"
    )
