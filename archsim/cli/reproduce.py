"""``archsim reproduce``: a paper's figures beside what archsim gives for them."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from archsim.cli.options import Verbs
from archsim.cli.progress import progress
from archsim.errors import ArchsimError

_PAPERS = ("hyflexpim", "isaac")
_MOST_JOBS = 64

_DESCRIPTION = f"""\
Simulate what a paper compares, and print each published figure beside the simulated one, with their
ratio, the place in the paper, and why they differ. Nothing is tuned towards a published number.
PAPER is one of {", ".join(_PAPERS)}."""

_EXAMPLE = """\
examples:
  archsim reproduce isaac
  archsim reproduce hyflexpim --only linear_energy --only throughput --out build/hyflexpim"""


def add_parser(verbs: Verbs) -> None:
    """Declare the verb's arguments."""
    parser = verbs.add_parser(
        "reproduce",
        help="set a paper's figures beside simulated ones",
        description=_DESCRIPTION,
        epilog=_EXAMPLE,
    )
    parser.set_defaults(run=run)
    parser.add_argument("paper", metavar="PAPER", choices=_PAPERS, help=f"one of {', '.join(_PAPERS)}")
    parser.add_argument(
        "--machines", metavar="DIR", default="hwconfigs", help="where the presets are (default: hwconfigs)"
    )
    parser.add_argument(
        "--only",
        metavar="GROUP",
        action="append",
        default=[],
        help="only this group of figures, as the names of the tables have it; repeatable",
    )
    parser.add_argument(
        "--out", metavar="DIR", help="write the tables (Markdown, CSV, JSON) and pictures; DIR must be new"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier reproduction in DIR")
    parser.add_argument("--jobs", type=int, metavar="N", help="processes (default: one a core)")
    parser.add_argument("--json", action="store_true", help="print rows and tables as JSON")


def run(arguments: argparse.Namespace) -> str:
    """Simulate, write what is asked for, and return the table or the JSON."""
    from archsim.report.reproduction import files_of, study_json, study_text
    from archsim.reproduce.papers import PAPERS
    from archsim.reproduce.study import check_presets, chosen, file_names, make_study
    from archsim.results.output import check_directory, write_directory

    if arguments.jobs is not None and not 1 <= arguments.jobs <= _MOST_JOBS:
        raise ArchsimError(f"--jobs: must be from 1 to {_MOST_JOBS}, not {arguments.jobs}")
    groups = chosen(PAPERS[arguments.paper], arguments.only)
    ours = file_names(PAPERS[arguments.paper])
    folder = Path(arguments.machines)
    check_presets(folder, groups)
    if arguments.out is not None:
        check_directory(arguments.out, arguments.overwrite, ours)
    counter = _Counter(arguments.paper)
    with progress(counter.text):
        study = make_study(
            arguments.paper,
            groups,
            folder,
            jobs=arguments.jobs or len(os.sched_getaffinity(0)),
            draw=arguments.out is not None,
            done=counter.count,
        )
    written = ""
    if arguments.out is not None:
        write_directory(arguments.out, files_of(study), arguments.overwrite, ours)
        written = f"\nTables and pictures are in {arguments.out}.\n"
    return study_json(study) if arguments.json else study_text(study) + written


class _Counter:
    """What the progress line says."""

    def __init__(self, paper: str) -> None:
        self._start = f"reproducing {paper}"
        self._runs = ""

    def count(self, over: int, total: int) -> None:
        """Note that a run is over."""
        self._runs = f", {over} of {total} runs"

    def text(self) -> str:
        """How far it is."""
        return self._start + self._runs
