"""``archsim plot``: pictures of results, runs and sweeps."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import archsim
from archsim.cli.options import Verbs, add_technology, load_machine
from archsim.cli.progress import progress
from archsim.errors import ArchsimError, Finding, did_you_mean
from archsim.report.plots.kinds import KINDS, Source

if TYPE_CHECKING:
    from archsim.report.plots.sweep_table import Axis, SweepTable
    from archsim.results.record import Result

_DESCRIPTION = """\
Draw a picture, as wide as the column of a paper, in colours that the colour-blind can tell apart.
What INPUT is depends on the kind:"""

_INPUTS: dict[Source, str] = {
    "results": "RESULT...: result.json files, or directories that archsim simulate --out wrote",
    "run": "HW TRACE: a machine and a workload, of which one inference is run",
    "sweep": "SWEEP: the store of archsim sweep, or its CSV",
}

_EXAMPLE = """\
examples:
  archsim plot build/bert build/whole --kind energy --by operation -o energy.pdf
  archsim plot hwconfigs/hyflexpim.yaml workloads/minilm.trace --kind pipeline --tokens 0-2 -o gantt.svg
  archsim plot sweep.db --kind heatmap --axes chip.pus,mapping.slc_rate,energy -o map.png"""

_AXES = {"pareto": "latency,energy", "heatmap": ""}
_WANTED = {
    "pareto": "X,Y, such as latency,energy",
    "heatmap": "X,Y,VALUE, such as chip.pus,system.chips,energy",
}

# which options belong to which inputs, or to which kind
_BELONGS = {
    "labels": ("--label", ("results",)),
    "tokens": ("--tokens", ("pipeline",)),
    "layers": ("--layers", ("pipeline",)),
    "overrides": ("--set", ("run",)),
    "technology": ("--technology", ("run",)),
    "axes": ("--axes", ("sweep",)),
}

_SQLITE = b"SQLite format 3\0"


def add_parser(verbs: Verbs) -> None:
    """Declare the verb's arguments."""
    parser = verbs.add_parser(
        "plot", help="draw pictures of results, runs and sweeps", description=_description(), epilog=_EXAMPLE
    )
    parser.set_defaults(run=run)
    parser.add_argument("inputs", metavar="INPUT", nargs="+", help="what to draw; see above")
    parser.add_argument("--kind", required=True, choices=tuple(KINDS), metavar="KIND", help="see above")
    parser.add_argument(
        "-o", "--output", metavar="FILE", required=True, help="picture to write: .png, .svg or .pdf"
    )
    parser.add_argument("--by", metavar="WHAT", help="what bars consist of; pareto: a column as colour")
    parser.add_argument(
        "--label", dest="labels", metavar="NAME", action="append", default=[], help="of each RESULT in turn"
    )
    parser.add_argument("--tokens", metavar="TOKENS", help="pipeline: tokens, such as 0-3 or 0,127")
    parser.add_argument("--layers", metavar="LAYERS", help="pipeline: layers, such as 0,4-7,outside")
    parser.add_argument(
        "--axes", metavar="X,Y[,VALUE]", help="pareto, heatmap: columns, such as latency,energy"
    )
    parser.add_argument(
        "--set",
        dest="overrides",
        metavar="PATH=VALUE",
        action="append",
        default=[],
        help="override a value of HW's YAML; repeatable",
    )
    add_technology(parser)


def _description() -> str:
    """The kinds, by what they are drawn from."""
    lines = [_DESCRIPTION]
    for source, inputs in _INPUTS.items():
        lines += ["", inputs]
        for name, kind in KINDS.items():
            if kind.source == source:
                by = f" (--by {', '.join(kind.by)})" if kind.by else ""
                lines.append(f"  {name:16} {kind.shows}{by}")
    return "\n".join(lines)


def run(arguments: argparse.Namespace) -> str:
    """Draw the picture and write it."""
    from archsim.report.plots.style import file_format
    from archsim.results.output import check_file, write_file

    source = KINDS[arguments.kind].source
    _check_options(arguments, source)
    file_format(arguments.output)
    check_file(arguments.output)
    draw = {"results": _of_results, "run": _of_run, "sweep": _of_sweep}[source]
    write_file(arguments.output, draw(arguments))
    return f"The picture is in {arguments.output}.\n"


def _check_options(arguments: argparse.Namespace, source: Source) -> None:
    """Refuse options that do nothing for this kind, and a wrong number of inputs.

    Raises: ArchsimError: with all of them.
    """
    kind, given = arguments.kind, arguments.inputs
    findings = [
        Finding(f"does nothing for {kind}; it is for {' and '.join(_kinds_of(belongs))}", path=option)
        for name, (option, belongs) in _BELONGS.items()
        if getattr(arguments, name) and source not in belongs and kind not in belongs
    ]
    if source == "run" and len(given) != 2:
        what = f"{kind} is drawn from a machine and a trace: archsim plot HW TRACE --kind {kind}"
        findings.append(Finding(f"{what}; {_count(len(given))} given"))
    if source == "sweep" and len(given) != 1:
        findings.append(
            Finding(f"{kind} is drawn from one sweep, a store or a CSV; {_count(len(given))} given")
        )
    if source == "results" and arguments.labels and len(arguments.labels) != len(given):
        what = f"each result has one: {len(arguments.labels)} for {len(given)} given"
        findings.append(Finding(what, path="--label"))
    if findings:
        raise ArchsimError(findings)


def _kinds_of(belongs: Sequence[str]) -> list[str]:
    return [name for name, kind in KINDS.items() if name in belongs or kind.source in belongs]


def _count(inputs: int) -> str:
    return "1 input is" if inputs == 1 else f"{inputs} inputs are"


def _of_results(arguments: argparse.Namespace) -> bytes:
    """Raises: ArchsimError: for all files that cannot be read."""
    from archsim.report.plots.draw import picture_of_results
    from archsim.report.plots.labels import Named, named
    from archsim.results.read import read_result

    results: list[Result] = []
    findings: list[Finding] = []
    for file in arguments.inputs:
        try:
            results.append(read_result(file))
        except ArchsimError as error:
            findings += error.findings
    if findings:
        raise ArchsimError(findings)
    labels = [Named(*each) for each in zip(arguments.labels, results, strict=False)]
    names = labels or named(results, arguments.inputs)
    return picture_of_results(arguments.output, arguments.kind, names, arguments.by)


def _of_run(arguments: argparse.Namespace) -> bytes:
    from archsim.pipeline import run_once
    from archsim.report.plots.draw import picture_of_run
    from archsim.report.plots.run_view import RunView, parse_choice

    choice = parse_choice(arguments.tokens, arguments.layers)
    hardware, workload = arguments.inputs
    machine = load_machine(hardware, arguments)
    trace = archsim.load_trace(workload)
    with progress("drawing"):
        inference = run_once(machine, trace)
        view = RunView(inference.graph, inference.start, machine.clock_ghz, inference.prices)
        return picture_of_run(arguments.output, arguments.kind, view, arguments.by, choice)


def _of_sweep(arguments: argparse.Namespace) -> bytes:
    from archsim.report.plots.draw import picture_of_sweep

    axes = _axes(arguments.kind, arguments.axes or _AXES[arguments.kind])
    table = _table(arguments.inputs[0])
    if arguments.by is not None and arguments.kind != "pareto":
        raise ArchsimError(Finding(f"does nothing for {arguments.kind}; it is for pareto", path="--by"))
    return picture_of_sweep(arguments.output, arguments.kind, table, axes, arguments.by)


def _axes(kind: str, text: str) -> list[Axis]:
    """The columns that ``latency,max:tops`` names.

    Raises: ArchsimError: for a wrong number of them, or a direction that there is not.
    """
    words = [word.strip() for word in text.split(",")]
    if len(words) != _WANTED[kind].split()[0].count(",") or not all(words):
        given = f"not {text!r}" if text else "and none are given"
        raise ArchsimError(Finding(f"{kind} needs {_WANTED[kind]}; {given}", path="--axes"))
    return [_axis(word) for word in words]


def _axis(word: str) -> Axis:
    """A column by its name or its short name, and which end of it is good."""
    from archsim.report.plots.sweep_table import Axis
    from archsim.results.metrics import METRICS

    direction, colon, name = word.rpartition(":")
    column = next((full for full, metric in METRICS.items() if name in (full, metric.alias)), name)
    if direction == "max":
        return Axis(column, "max")
    if direction == "min":
        return Axis(column, "min")
    if colon:
        what = f"{word!r} begins with neither min: nor max:{did_you_mean(direction, ('min', 'max'))}"
        raise ArchsimError(Finding(what, path="--axes"))
    return Axis(column, METRICS[column].direction if column in METRICS else "min")


def _table(file: str) -> SweepTable:
    """The points of a store or a CSV file.

    Raises: ArchsimError: when it is neither.
    """
    from archsim.explore.store import open_store
    from archsim.report.plots.sweep_table import SweepTable, read_csv

    if not _is_store(Path(file)):
        return read_csv(file)
    with open_store(file) as store:
        return SweepTable(file, store.table(status=None))


def _is_store(path: Path) -> bool:
    """Whether a file begins like a database; one that cannot be read does not."""
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError:
        return False
