"""Pieces of pictures: bars, legends outside of the axes, tick labels that do not meet."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from archsim.report.plots.labels import shortened, wrapped
from archsim.report.plots.palette import INK, Look
from archsim.report.plots.style import SMALL_PT, lay_out, new_figure, renderer_of

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend
    from matplotlib.patches import Patch
    from matplotlib.text import Text
    from matplotlib.transforms import Bbox

_LINE_IN = 0.125  # of the smaller type
_BAR_IN = 0.21
_AXIS_IN = 0.42  # tick labels and the label below
_MOST_COLUMNS = 4
_GAP_PT = 2.0  # between a bar and its text
_GAP_IN = 0.04  # between tick labels side by side


def bar_figure(names: Sequence[str], row_in: float = _BAR_IN) -> tuple[Figure, Axes]:
    """A figure with a row for each name, the first one on top; rows are as high as their names need."""
    texts = [wrapped(name) for name in names]
    lines = max(text.count("\n") + 1 for text in texts)
    row = max(row_in, lines * _LINE_IN + 0.05)
    figure = new_figure(_AXIS_IN + row * len(names) + 0.1)
    axes = figure.add_subplot()
    axes.set_yticks(range(len(names)), texts, parse_math=False)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    return figure, axes


def patch(look: Look) -> Patch:
    """The sample of a look in a legend."""
    from matplotlib.patches import Patch

    return Patch(**filled(look))


def filled(look: Look) -> dict[str, Any]:
    """How matplotlib is told a look."""
    return {"facecolor": look.colour, "hatch": look.hatch, "edgecolor": INK, "linewidth": 0.25}


def end_labels(figure: Figure, axes: Axes, ends: Sequence[float], texts: Sequence[str]) -> None:
    """A text at the end of each horizontal bar, with room for it inside of the axes."""
    axes.set_xlim(0, max(ends, default=0.0) or 1.0)
    lay_out(figure)
    width, renderer = axes.bbox.width, renderer_of(figure)
    limit = axes.get_xlim()[1]
    for row, (end, words) in enumerate(zip(ends, texts, strict=True)):
        text = axes.annotate(
            words,
            (end, row),
            xytext=(_GAP_PT, 0),
            textcoords="offset points",
            va="center_baseline",
            fontsize=SMALL_PT,
            parse_math=False,
        )
        taken = text.get_window_extent(renderer).width + 2 * _GAP_PT * figure.dpi / 72
        limit = max(limit, end / (1 - min(taken / width, 0.7)))
    axes.set_xlim(0, limit)


def add_legend(figure: Figure, handles: Sequence[Artist], labels: Sequence[str]) -> Legend:
    """A legend below the axes, in as many columns as fit; the figure grows by its height."""
    texts = [shortened(label) for label in labels]
    for most in range(min(_MOST_COLUMNS, len(texts)), 0, -1):
        rows = -(-len(texts) // most)
        legend = figure.legend(handles, texts, loc="outside lower center", ncols=-(-len(texts) // rows))
        for text in legend.get_texts():
            text.set_parse_math(False)
        size = legend.get_window_extent(renderer_of(figure))
        if size.width <= figure.bbox.width or most == 1:
            break
        legend.remove()
    figure.set_figheight(figure.get_figheight() + size.height / figure.dpi)
    return legend


def part_x_labels(figure: Figure, axes: Axes) -> None:
    """Turn the tick labels below the axes upright where they would meet side by side.

    Where each stands for a thing, and they would meet even then, some are left out, evenly.
    """
    boxes = _boxes(figure, axes.get_xticklabels())
    gap = _GAP_IN * figure.dpi
    if not any(one.x1 + gap > two.x0 for one, two in pairwise(boxes)):
        return
    axes.tick_params(axis="x", labelrotation=90)
    tallest = max(box.width for box in boxes)
    figure.set_figheight(figure.get_figheight() + tallest / figure.dpi)
    boxes = _boxes(figure, axes.get_xticklabels())
    step = max((one.width / max(two.x0 - one.x0, 1.0) for one, two in pairwise(boxes)), default=1.0)
    if step > 1:
        thin(axes.xaxis, math.ceil(step))


def part_y_labels(figure: Figure, axes: Axes) -> None:
    """Leave out tick labels beside the axes, evenly, where they would meet."""
    boxes = _boxes(figure, axes.get_yticklabels())
    room = axes.bbox.height / max(len(boxes), 1)
    step = math.ceil(max((box.height for box in boxes), default=0.0) / room)
    if step > 1:
        thin(axes.yaxis, step)


def thin(axis: Axis, step: int) -> None:
    """Keep every ``step``-th tick of an axis with a name at each."""
    texts = [label.get_text() for label in axis.get_ticklabels()]
    axis.set_ticks(list(axis.get_ticklocs())[::step], texts[::step], parse_math=False)


def _boxes(figure: Figure, labels: Iterable[Text]) -> list[Bbox]:
    """Where tick labels stand, once all is laid out."""
    lay_out(figure)
    renderer = renderer_of(figure)
    return [label.get_window_extent(renderer) for label in labels if label.get_text()]
