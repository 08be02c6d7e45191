"""A value over two parameters of a sweep, as a coloured table; crosses mark what is infeasible.

Where points differ in a third parameter as well, a cell shows the best of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from archsim.errors import ArchsimError, Finding
from archsim.report.plots.labels import shortened
from archsim.report.plots.matrix import matrix_figure
from archsim.report.plots.sweep_table import Axis, SweepTable, distinct, worded

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 60
"""Values of a parameter that fit into a picture."""


def draw(table: SweepTable, axes: Sequence[Axis], by: str | None) -> Figure:
    """The picture: ``axes`` are the parameter across, the one upwards, and the value.

    Raises: ArchsimError: for columns that there are not, too many values of one, and when there is nothing
        to draw.
    """
    across, up, value = axes
    if across.column == up.column:
        raise ArchsimError(Finding(f"{across.column} is given twice", path="--axes"))
    columns, rows = table.column(across.column, "--axes"), table.column(up.column, "--axes")
    numbers = table.numbers(value.column, "--axes")
    names = [_distinct(values, axis) for values, axis in ((columns, across), (rows, up))]
    cells, failed, most = _cells(table, (columns, rows), numbers, value)
    if not cells:
        raise ArchsimError(Finding(f"nothing to plot: no point has {value.column}", table.file))
    # the smallest value of the parameter upwards is at the bottom
    upward = names[1][::-1]
    picture = np.array([[cells.get((x, y), np.nan) for x in names[0]] for y in upward])
    best = (
        f", the {'least' if value.direction == 'min' else 'most'} of up to {most} points" if most > 1 else ""
    )
    scale = value.scale(float(np.nanmax(np.abs(picture))))
    titles = shortened(across.column), shortened(up.column)
    texts = [worded(each) for each in upward], [worded(each) for each in names[0]]
    label = value.label + best
    figure, area = matrix_figure(texts[0], texts[1], picture, scale, label, titles=titles)
    crosses = [(names[0].index(x), upward.index(y)) for x, y in failed if (x, y) not in cells]
    if crosses:
        xs, ys = zip(*crosses, strict=True)
        area.scatter(xs, ys, marker="x", s=14, color="#505050", linewidths=0.8)
    return figure


def _distinct(values: Sequence[Any], axis: Axis) -> list[Any]:
    """The values of a parameter, numbers before words, each in order."""
    found = distinct(values)
    if len(found) > MOST:
        what = f"{axis.column} has {len(found)} values; a heat map shows {MOST} at most"
        raise ArchsimError(Finding(what, path="--axes"))
    return found


def _cells(
    table: SweepTable, places: tuple[list[Any], list[Any]], numbers: list[float | None], value: Axis
) -> tuple[dict[tuple[Any, Any], float], set[tuple[Any, Any]], int]:
    """The value of each cell; the cells in which a point failed; the most points in one."""
    found: dict[tuple[Any, Any], list[float]] = {}
    failed: set[tuple[Any, Any]] = set()
    for x, y, number, finished in zip(*places, numbers, table.finished(), strict=True):
        if x is None or y is None:
            continue
        if finished and number is not None:
            found.setdefault((x, y), []).append(number)
        else:
            failed.add((x, y))
    best = min if value.direction == "min" else max
    cells = {place: best(values) for place, values in found.items()}
    return cells, failed, max(map(len, found.values()), default=0)
