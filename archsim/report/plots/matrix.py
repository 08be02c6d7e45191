"""Coloured tables: a value for each pair of a row and a column."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from archsim.report.plots.labels import Scale, wrapped
from archsim.report.plots.layout import part_x_labels, part_y_labels
from archsim.report.plots.style import SMALL_PT, lay_out, new_figure, renderer_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW_IN = 0.17
_LINE_IN = 0.125
_MOST_IN = 6.0
_BAR_IN = 0.75  # the colour bar with its labels
_COLOURS = "cividis"  # even in lightness, and the same to the colour-blind (Nunez et al., 2018)
_MISSING = "#E8E8E8"


def matrix_figure(
    rows: Sequence[str],
    columns: Sequence[str],
    values: NDArray[np.float64],
    scale: Scale,
    label: str,
    limits: tuple[float, float] | None = None,
    titles: tuple[str, str] = ("", ""),
    ordered: bool = True,
) -> tuple[Figure, Axes]:
    """A picture of ``values``: (rows, columns), NaN where there is none, the first row on top.

    Args: label: what the colours show, without the unit; limits: of the colours, in the scale's unit;
        titles: of the axes across and upwards; ordered: whether rows explain each other, so that
        many of them are drawn dense, and not each with its name.
    """
    texts = [wrapped(row) for row in rows]
    figure = new_figure(_height_in(texts, _MOST_IN if ordered else math.inf) + _BAR_IN + 0.3)
    axes = figure.add_subplot()
    shown = np.ma.masked_invalid(values * scale.factor)
    low, high = limits or _spread(shown)
    image = axes.imshow(shown, cmap=_COLOURS, vmin=low, vmax=high, aspect="auto")
    axes.set_facecolor(_MISSING)
    axes.set_yticks(range(len(rows)), texts, parse_math=False)
    axes.set_xticks(range(len(columns)), [wrapped(column) for column in columns], parse_math=False)
    axes.set_xlabel(titles[0], parse_math=False)
    if titles[1]:
        # upright, a long name would be higher than a few rows
        axes.set_title(f"↑ {titles[1]}", loc="left", parse_math=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    words = f"{label} ({scale.unit})" if scale.unit else label
    bar = figure.colorbar(image, ax=axes, location="bottom", aspect=30, pad=0.03, label=words)
    bar.outline.set_visible(False)
    part_x_labels(figure, axes)
    part_y_labels(figure, axes)
    _write_values(figure, axes, shown, scale)
    return figure, axes


def _height_in(rows: Sequence[str], most: float) -> float:
    """The height of rows with these names."""
    lines = max(row.count("\n") + 1 for row in rows)
    return min(max(_ROW_IN, lines * _LINE_IN + 0.05) * len(rows), most)


def _spread(shown: np.ma.MaskedArray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[float, float]:
    """The limits of the colours; a single value has a colour in the middle."""
    low, high = float(shown.min()), float(shown.max())
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def _write_values(
    figure: Figure,
    axes: Axes,
    shown: np.ma.MaskedArray[tuple[int, ...], np.dtype[np.float64]],
    scale: Scale,
) -> None:
    """The numbers in the cells, where all of them have room."""
    lay_out(figure)
    renderer, (low, high) = renderer_of(figure), axes.images[0].get_clim()
    rows, columns = shown.shape
    cell = axes.bbox.width / columns, axes.bbox.height / rows
    if cell[1] < SMALL_PT * figure.dpi / 72:
        return
    places = list(zip(*np.nonzero(~np.ma.getmaskarray(shown)), strict=True))
    words = [Scale(1.0, scale.unit).text(float(shown[place])) for place in places]
    sample = axes.text(0, 0, max(words, key=len, default=""), fontsize=SMALL_PT)
    width = sample.get_window_extent(renderer).width
    sample.remove()
    if width > 0.95 * cell[0]:
        return
    for (row, column), word in zip(places, words, strict=True):
        ink = "black" if shown[row, column] - low > 0.5 * (high - low) else "white"
        axes.text(column, row, word, ha="center", va="center_baseline", color=ink, fontsize=SMALL_PT)
