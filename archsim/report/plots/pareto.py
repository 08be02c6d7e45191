"""All points of a sweep over two objectives; those that no other one beats in both are joined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from archsim.errors import ArchsimError, Finding
from archsim.report.plots.labels import shortened, wrapped
from archsim.report.plots.layout import add_legend, part_x_labels
from archsim.report.plots.palette import GREY, HUES, INK
from archsim.report.plots.style import new_figure
from archsim.report.plots.sweep_table import Axis, SweepTable, distinct, worded

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HEIGHT_IN = 2.4
_MOST_COLOURS = len(HUES)


def draw(table: SweepTable, axes: Sequence[Axis], by: str | None) -> Figure:
    """The picture: ``axes`` are the two objectives, ``by`` a column that colours the points.

    Raises: ArchsimError: for columns that there are not, and when no point has both values.
    """
    across, up = axes
    points = _points(table, across, up, by)
    scales = [
        axis.scale(max(abs(point[place]) for point in points)) for place, axis in enumerate((across, up))
    ]
    front = front_of([(point[0], point[1]) for point in points], across, up)
    figure = new_figure(_HEIGHT_IN)
    area = figure.add_subplot()
    shown = [(x * scales[0].factor, y * scales[1].factor, value) for x, y, value in points]
    handles, labels = _scatter(area, shown, by)
    edge = sorted({shown[place][:2] for place in front})
    style = "steps-post" if across.direction == "min" else "steps-pre"
    area.plot(*zip(*edge, strict=True), color=INK, linewidth=0.8, drawstyle=style, zorder=2)
    (best,) = area.plot(
        *zip(*edge, strict=True), linestyle="none", marker="o", markersize=6, markerfacecolor="none",
        markeredgecolor=INK, markeredgewidth=0.8, zorder=4,
    )  # fmt: skip
    arrow = {"min": "← better", "max": "better →"}
    for axis, scale, setter, fit in (
        (across, scales[0], area.set_xlabel, shortened),
        (up, scales[1], area.set_ylabel, wrapped),
    ):
        unit = f" ({scale.unit})" if scale.unit else ""
        setter(f"{fit(axis.label)}{unit}\n{arrow[axis.direction]}", parse_math=False)
    area.grid()
    part_x_labels(figure, area)
    add_legend(figure, [*handles, best], [*labels, f"Pareto set: {len(front)} of {len(points)} points"])
    return figure


def front_of(points: Sequence[tuple[float, float]], across: Axis, up: Axis) -> list[int]:
    """Which points no other one beats: is as good in both and better in one; equal points are all in.

    Returns: indices, ascending.
    """
    signs = [1 if axis.direction == "min" else -1 for axis in (across, up)]
    costs = [(x * signs[0], y * signs[1]) for x, y in points]
    front: list[int] = []
    lowest = float("inf")
    best: tuple[float, float] | None = None
    for place in sorted(range(len(costs)), key=costs.__getitem__):
        if costs[place] == best or costs[place][1] < lowest:
            front.append(place)
            best = costs[place]
            lowest = best[1]
    return sorted(front)


def _points(table: SweepTable, across: Axis, up: Axis, by: str | None) -> list[tuple[float, float, Any]]:
    """Both values and the colouring one of each point that has a result."""
    columns = table.numbers(across.column, "--axes"), table.numbers(up.column, "--axes")
    colouring = [None] * len(columns[0]) if by is None else table.column(by, "--by")
    found = [
        (x, y, value)
        for x, y, value, finished in zip(*columns, colouring, table.finished(), strict=True)
        if finished and x is not None and y is not None
    ]
    if not found:
        what = f"nothing to plot: no point has both {across.column} and {up.column}"
        raise ArchsimError(Finding(what, table.file))
    return found


def _scatter(
    area: Axes, points: Sequence[tuple[float, float, Any]], by: str | None
) -> tuple[list[Any], list[str]]:
    """The points, in the colour of their value; what the legend says of them."""
    values = distinct(value for *_, value in points) if by else [None]
    if len(values) > _MOST_COLOURS:
        what = f"{by} has {len(values)} values; the colours of {_MOST_COLOURS} can be told apart"
        raise ArchsimError(Finding(what, path="--by"))
    handles = []
    for number, value in enumerate(values):
        xs, ys = zip(*((x, y) for x, y, its in points if its == value), strict=True)
        colour = HUES[number] if by else GREY
        handles.append(area.scatter(xs, ys, s=8, color=colour, linewidths=0, zorder=3))
    return handles, [f"{by} = {worded(value)}" for value in values] if by else ["all points"]
