"""For which share of a stream's time resources are held: by class, and of one result by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from archsim.errors import ArchsimError
from archsim.report.plots.labels import PERCENT, Named
from archsim.report.plots.layout import bar_figure, end_labels, filled
from archsim.report.plots.matrix import matrix_figure
from archsim.report.plots.palette import looks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_AXIS = "share of time held"


def draw(results: Sequence[Named], by: str) -> Figure:
    """The picture: bars of one result's classes, or a coloured table of results or layers by classes.

    Raises: ArchsimError: by layer, for several results; when nothing is used.
    """
    if by == "layer" and len(results) > 1:
        raise ArchsimError(
            f"--by layer draws one result, not {len(results)}; leave it out, or draw each apart"
        )
    tables: Mapping[str, Mapping[str, float]]
    if by == "layer":
        tables = results[0].result.utilisation_by_layer
    else:
        tables = {each.name: each.result.utilisation for each in results}
    classes = sorted({name for table in tables.values() for name in table})
    if not classes:
        raise ArchsimError("nothing to plot: no resource is used")
    if len(tables) == 1 and by == "class":
        return _bars(next(iter(tables.values())))
    values = np.array([[table.get(name, np.nan) for name in classes] for table in tables.values()])
    figure, _ = matrix_figure(
        list(tables), classes, values, PERCENT, _AXIS, (0.0, 100.0), ordered=by == "layer"
    )
    return figure


def _bars(table: Mapping[str, float]) -> Figure:
    """One result: a bar a class, the busiest on top."""
    names = sorted(table, key=lambda name: (-table[name], name))
    figure, axes = bar_figure(names)
    widths = [table[name] * PERCENT.factor for name in names]
    chosen = looks(names)
    for row, name in enumerate(names):
        axes.barh(row, widths[row], 0.7, **filled(chosen[name]))
    end_labels(figure, axes, widths, [PERCENT.text(table[name]) for name in names])
    axes.set_xlabel(f"{_AXIS} (%)")
    return figure
