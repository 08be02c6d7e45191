"""A few tokens on their way through the pipeline: when each operation, or each layer, works on each of them.

A token is in its row from the start of a task until its result can be used, in full colour while the task
holds its resource, pale from then on. Of one inference in an empty machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from archsim.errors import ArchsimError
from archsim.report.plots.labels import Scale, scaled
from archsim.report.plots.layout import add_legend, bar_figure, patch
from archsim.report.plots.palette import (
    BLUE,
    GREEN,
    GREY,
    INDIGO,
    OLIVE,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    Look,
    tinted,
)
from archsim.report.plots.run_view import Choice, RunView, check_there
from archsim.report.timeline_limits import NO_LAYER
from archsim.results.energy import OUTSIDE, operation_name
from archsim.task_graph import TaskGraph

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEW = 4
"""Tokens that are drawn where none are asked for."""

_TOKENS = (BLUE, ORANGE, GREEN, PURPLE, VERMILION, SKY, INDIGO, OLIVE)
_PALE = 0.55
_LANES = 0.84  # of a row's height
_ROW_IN, _LANE_IN = 0.06, 0.04  # of a row with no token, and more for each


def draw(run: RunView, by: str, choice: Choice) -> Figure:
    """The picture: rows in the order of the program, in each a lane for each token.

    By operation, the first layer is drawn where none is asked for; by layer, all of them.
    Raises: ArchsimError: for a token or layer that there is not, and when nothing is left to draw.
    """
    held = run.graph.resource >= 0
    tokens, layers = _chosen(run.graph, by, choice, held)
    operation_in = np.array([layer in layers for layer in run.graph.layers])
    tasks = np.flatnonzero(held & np.isin(run.graph.token, tokens) & operation_in[run.graph.operation])
    if not len(tasks):
        raise ArchsimError("nothing to plot: none of these tokens holds a resource in these layers")
    names, row_of = _rows(run.graph, by, len(layers) > 1, tasks)
    figure, axes = bar_figure(names, _ROW_IN + _LANE_IN * len(tokens))
    span = (
        int(run.start[tasks].min()),
        int((run.start + np.maximum(run.graph.occupancy, run.graph.latency))[tasks].max()),
    )
    scale = scaled(span[1] / run.clock_ghz, "s", 1e-9)
    for lane, token in enumerate(tokens):
        own = tasks[run.graph.token[tasks] == token]
        rows, place = row_of[run.graph.operation[own]], (lane, len(tokens))
        colour = _TOKENS[lane]
        _bars(axes, run, scale, rows, own, run.graph.latency, place, tinted(colour, _PALE))
        _bars(axes, run, scale, rows, own, run.graph.occupancy, place, colour)
    _finish(axes, span, run.clock_ghz, scale, len(names))
    looks = [Look(_TOKENS[lane], "") for lane in range(len(tokens))]
    handles = [patch(each) for each in (*looks, Look(tinted(GREY, _PALE), ""))]
    add_legend(figure, handles, [*(f"token {token}" for token in tokens), "pale: until the result"])
    return figure


def _chosen(
    graph: TaskGraph, by: str, choice: Choice, held: NDArray[np.bool_]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The tokens and the layers to draw."""
    there = np.unique(graph.token[held & (graph.token >= 0)]).tolist()
    layers = sorted({graph.layers[index] for index in np.unique(graph.operation[held]).tolist()})
    check_there(choice.tokens or (), there, "--tokens", "token")
    check_there(choice.layers or (), layers, "--layers", "layer")
    inner = [layer for layer in layers if layer != NO_LAYER] or layers
    own = inner[:1] if by == "operation" else inner
    return choice.tokens or tuple(there[:FEW]), choice.layers or tuple(own)


def _rows(
    graph: TaskGraph, by: str, several: bool, tasks: NDArray[np.int64]
) -> tuple[list[str], NDArray[np.int64]]:
    """The names of the rows, and (operations,) the row of each operation, -1 for none."""
    names: dict[str, int] = {}
    row_of = np.full(len(graph.operations), -1, dtype=np.int64)
    for index in np.unique(graph.operation[tasks]).tolist():
        layer = graph.layers[index]
        if by == "layer":
            name = OUTSIDE if layer == NO_LAYER else f"l{layer}"
        else:
            name = graph.operations[index] if several else operation_name(graph, index)
        row_of[index] = names.setdefault(name, len(names))
    return list(names), row_of


def _bars(
    axes: Axes,
    run: RunView,
    scale: Scale,
    rows: NDArray[np.int64],
    tasks: NDArray[np.int64],
    duration: NDArray[np.int32],
    place: tuple[int, int],
    colour: str,
) -> None:
    """The bars of one token: in the lane ``place[0]`` of ``place[1]`` of each task's row.

    Args: rows: (n,) of ``tasks``, (n,); duration: (all tasks,) cycles from a task's start.
    """
    lane, lanes = place
    height = _LANES / lanes
    for row in np.unique(rows).tolist():
        own = tasks[rows == row]
        spans = merged(run.start[own], run.start[own] + duration[own])
        unit = scale.factor / run.clock_ghz
        bars = [(first * unit, (last - first) * unit) for first, last in spans]
        # the line keeps a bar visible that is shorter than a dot
        low = row - _LANES / 2 + lane * height
        axes.broken_barh(bars, (low, height), facecolor=colour, edgecolor=colour, linewidth=0.4)


def merged(begin: NDArray[np.int64], end: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Spans of time as their union: those that overlap or touch are one."""
    spans: list[tuple[int, int]] = []
    for place in np.argsort(begin, kind="stable").tolist():
        first, last = int(begin[place]), int(end[place])
        if spans and first <= spans[-1][1]:
            spans[-1] = spans[-1][0], max(spans[-1][1], last)
        else:
            spans.append((first, last))
    return spans


def _finish(axes: Axes, span: Sequence[int], clock_ghz: float, scale: Scale, rows: int) -> None:
    """The axes around the bars: the time of what is drawn, rows parted by lines."""
    first, last = (cycles / clock_ghz * scale.factor for cycles in span)
    margin = 0.02 * (last - first) or 1.0
    axes.set_xlim(first - margin, last + margin)
    axes.set_xlabel(f"time ({scale.unit})")
    for row in range(1, rows):
        axes.axhline(row - 0.5, color="#E4E4E4", linewidth=0.4, zorder=0)
