"""Dynamic power over the time of one inference in an empty machine, stacked by class of resources.

Means over a thousandth of the time: the area below is the energy. Leakage is constant and not drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from archsim.errors import ArchsimError
from archsim.report.plots.labels import scaled
from archsim.report.plots.layout import add_legend, filled, patch
from archsim.report.plots.palette import OTHER
from archsim.report.plots.run_view import RunView
from archsim.report.plots.stacks import stack
from archsim.report.plots.style import new_figure
from archsim.report.timeline_counters import POWER, counters

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HEIGHT_IN = 1.7


def draw(run: RunView) -> Figure:
    """The picture, of all chips together.

    Raises: ArchsimError: when the inference takes no energy.
    """
    edges, series = _power_mw(run)
    energy = {name: float(values.sum()) for name, values in series.items()}
    if not energy:
        raise ArchsimError("nothing to plot: the inference takes no energy")
    stacks = stack([energy])
    whole = np.sum(list(series.values()), axis=0)
    rows = {name: series[name] for name in stacks.rows if name in series}
    if len(rows) < len(stacks.rows):
        rows[OTHER] = whole - np.sum(list(rows.values()), axis=0)
    time = scaled(edges[-1] / run.clock_ghz, "s", 1e-9)
    power = scaled(float(whole.max()), "W", 1e-3)
    figure = new_figure(_HEIGHT_IN)
    axes = figure.add_subplot()
    at = edges / run.clock_ghz * time.factor
    below = np.zeros(len(at))
    looks = stacks.looks()
    for name, values in rows.items():
        above = below + np.append(values, values[-1]) * power.factor
        axes.fill_between(at, below, above, step="post", **filled(looks[name]) | {"linewidth": 0.0})
        below = above
    axes.set_xlim(0, at[-1])
    axes.set_ylim(0, None)
    axes.set_xlabel(f"time ({time.unit})")
    axes.set_ylabel(f"dynamic power ({power.unit})")
    axes.grid(axis="y")
    labels = [stacks.label(name).partition(":")[0] for name in rows]
    add_legend(figure, [patch(looks[name]) for name in rows], labels)
    return figure


def _power_mw(run: RunView) -> tuple[NDArray[np.int64], dict[str, NDArray[np.float64]]]:
    """Edges of the intervals in cycles, and the mean power in each by class of resources."""
    span = 0, int(max((run.start + run.graph.occupancy).max(), run.start[run.graph.exit], 1))
    series: dict[str, NDArray[np.float64]] = {}
    edges = np.array(span)
    for counter in counters(run.graph, run.start, run.prices, run.clock_ghz, span):
        if counter.name == POWER:
            edges = counter.edges
            for name, values in counter.series.items():
                series[name] = series.get(name, np.zeros(len(values))) + values
    return edges, series
