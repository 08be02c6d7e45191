"""From a kind and its input to the bytes of a picture."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from archsim.errors import ArchsimError, Finding, did_you_mean
from archsim.report.plots.kinds import KINDS
from archsim.report.plots.style import file_format, house_style, to_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from archsim.report.plots.labels import Named
    from archsim.report.plots.run_view import Choice, RunView
    from archsim.report.plots.sweep_table import Axis, SweepTable
    from archsim.results.record import Result

MAIN = ("energy", "area", "utilisation", "pipeline")
"""The kinds that ``simulate --plots`` draws, each as a PNG of its name."""

MOST_RESULTS = 100
"""Bars that a picture can have."""


def picture_of_results(file: str, kind: str, results: Sequence[Named], by: str | None = None) -> bytes:
    """A picture of results, in the format that the name ``file`` asks for.

    Args: by: one of the kind's, None for the usual one.
    Raises: ArchsimError: when it cannot be drawn of these.
    """
    if len(results) > MOST_RESULTS:
        raise ArchsimError(f"{len(results)} results are given; a picture shows {MOST_RESULTS} at most")
    chosen = _chosen_by(kind, by)
    return _picture(file, lambda: _drawing(kind)(results, chosen))


def picture_of_run(
    file: str, kind: str, run: RunView, by: str | None = None, choice: Choice | None = None
) -> bytes:
    """A picture of a run.

    Args: choice: of tokens and layers, for kinds that have a choice.
    Raises: ArchsimError: when it cannot be drawn.
    """
    chosen = _chosen_by(kind, by)
    if not KINDS[kind].by:
        return _picture(file, lambda: _drawing(kind)(run))
    from archsim.report.plots.run_view import Choice

    return _picture(file, lambda: _drawing(kind)(run, chosen, choice or Choice()))


def picture_of_sweep(
    file: str, kind: str, table: SweepTable, axes: Sequence[Axis], by: str | None = None
) -> bytes:
    """A picture of a sweep.

    Args: axes: two for ``pareto``, three for ``heatmap``; by: a column that colours the points.
    Raises: ArchsimError: when it cannot be drawn.
    """
    return _picture(file, lambda: _drawing(kind)(table, axes, by))


def main_pictures(
    result: Result, run: RunView, tell: Callable[[str], None] = lambda _: None
) -> dict[str, bytes]:
    """The main pictures of one simulation, by file name.

    Args: tell: told of a picture that is left out, and why.
    """
    from archsim.report.plots.labels import named

    files: dict[str, bytes] = {}
    for kind in MAIN:
        file = f"{kind}.png"
        try:
            if KINDS[kind].source == "run":
                files[file] = picture_of_run(file, kind, run)
            else:
                files[file] = picture_of_results(file, kind, named([result], [file]))
        except ArchsimError as error:
            tell(f"{file} is left out: {error}")
    return files


def _drawing(kind: str) -> Callable[..., Figure]:
    """The function that draws a kind."""
    drawing: Callable[..., Figure] = importlib.import_module(f"archsim.report.plots.{kind}").draw
    return drawing


def _chosen_by(kind: str, by: str | None) -> str:
    """What the bars consist of.

    Raises: ArchsimError: when the kind cannot be split by it.
    """
    allowed = KINDS[kind].by
    if by is None:
        return allowed[0] if allowed else ""
    if by not in allowed:
        choices = f"can be split by {', '.join(allowed)}" if allowed else "cannot be split"
        what = f"{kind} {choices}, not by {by!r}{did_you_mean(by, allowed)}"
        raise ArchsimError(Finding(what, path="--by"))
    return by


def _picture(file: str, draw: Callable[[], Figure]) -> bytes:
    kind = file_format(file)
    with house_style(), warnings.catch_warnings():
        # a letter that the font lacks is drawn as a box
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        return to_bytes(draw(), kind)
