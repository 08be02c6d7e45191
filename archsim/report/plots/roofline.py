"""The roofline of results: what is achieved, below the peak of the parts and the bandwidth of each medium.

A result is one mark a medium, all at the rate that it achieves: over the operations that it does for each
byte that it moves there. A medium's roof is the rate at which its bytes move while it is held, all of its
instances together; where the mark stands on it, that medium is busy all the time. After Williams, Waterman
and Patterson: Roofline, CACM 52 (4), 2009; several levels as in Ilic, Pratas and Sousa, CAL 13 (1), 2014.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archsim.errors import ArchsimError
from archsim.report.plots.labels import Named
from archsim.report.plots.layout import add_legend
from archsim.report.plots.palette import INK, look
from archsim.report.plots.style import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HEIGHT_IN = 2.3
_MARGIN = 4.0  # a power of ten is always between a quarter and the fourfold
_MARKERS = "osD^v<>phX*Pd"
_LINES = ("-", "--", ":", "-.")


@dataclass(frozen=True, slots=True)
class Mark:
    """What one result does with one medium.

    Args: intensity: operations a byte that it moves; ops_per_s: achieved; bytes_per_s: of the medium while
        it is held.
    """

    machine: str
    medium: str
    intensity: float
    ops_per_s: float
    bytes_per_s: float


def draw(results: Sequence[Named], by: str) -> Figure:
    """The picture.

    Raises: ArchsimError: for a result without MACs, or one that moves nothing.
    """
    from matplotlib.ticker import NullFormatter

    marks = [list(marks_of(each)) for each in results]
    for each, own in zip(results, marks, strict=True):
        if not own:
            raise ArchsimError(f"nothing to plot: {each.name} does no operations, or moves no bytes")
    peaks = {_machine(each): each.result.efficiency["peak_tops"] * 1e12 for each in results}
    styles = {name: _LINES[number % len(_LINES)] for number, name in enumerate(peaks)}
    figure = new_figure(_HEIGHT_IN)
    axes = figure.add_subplot()
    axes.set_xscale("log")
    axes.set_yscale("log")
    span = _span([mark for own in marks for mark in own], peaks)
    roofs = _roofs([mark for own in marks for mark in own])
    for (machine, medium), bytes_per_s in roofs.items():
        _roof(axes, span, bytes_per_s, peaks[machine], look(medium).colour, styles[machine])
    handles, labels = _legend_of_media(sorted({medium for _, medium in roofs}))
    for number, (each, own) in enumerate(zip(results, marks, strict=True)):
        style = _marker(number)
        for mark in own:
            axes.plot(mark.intensity, mark.ops_per_s / 1e12, color=look(mark.medium).colour, **style)
        several = len(peaks) > 1
        line = {"linestyle": styles[_machine(each)], "linewidth": 0.8} if several else {"linestyle": "none"}
        handles.append(_line(color=INK, **style | line))
        labels.append(each.name)
    axes.set_xlim(*span)
    low, high = axes.dataLim.intervaly
    axes.set_ylim(low / _MARGIN, high * _MARGIN)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("operations a byte")
    axes.set_ylabel("TOPS")
    axes.grid()
    add_legend(figure, handles, labels)
    return figure


def marks_of(each: Named) -> Iterator[Mark]:
    """The marks of a result: one for each medium on which it moves something."""
    result = each.result
    interval_s = result.throughput["interval_ns"] * 1e-9
    ops_per_s = result.throughput["ops_per_s"]
    for medium, moved in result.traffic_bytes.items():
        held = result.utilisation.get(medium, 0.0)
        if moved > 0 and held > 0 and ops_per_s > 0:
            moved_per_s = moved / interval_s
            yield Mark(_machine(each), medium, ops_per_s / moved_per_s, ops_per_s, moved_per_s / held)


def _machine(each: Named) -> str:
    """What tells machines apart, also those of one name."""
    return f"{each.result.hardware['name']} {each.result.hardware.get('content', '')}"


def _roofs(marks: Sequence[Mark]) -> dict[tuple[str, str], float]:
    """Bytes a second of each machine's media: the most that a result showed, as transfers are rounded up."""
    roofs: dict[tuple[str, str], float] = {}
    for mark in marks:
        key = mark.machine, mark.medium
        roofs[key] = max(roofs.get(key, 0.0), mark.bytes_per_s)
    return roofs


def _span(marks: Sequence[Mark], peaks: dict[str, float]) -> tuple[float, float]:
    """Operations a byte that are shown: all marks and all ridges, with a margin."""
    ridges = [peaks[mark.machine] / mark.bytes_per_s for mark in marks]
    shown = [mark.intensity for mark in marks] + [ridge for ridge in ridges if ridge > 0]
    return min(shown) / _MARGIN, max(shown) * _MARGIN


def _roof(
    axes: Axes, span: tuple[float, float], bytes_per_s: float, peak: float, colour: str, style: str
) -> None:
    """The slope of a medium up to the peak, and the peak from there on; a machine without MACs has none."""
    ridge = min(max(peak / bytes_per_s, span[0]), span[1]) if peak else span[1]
    axes.plot(
        [span[0], ridge], [span[0] * bytes_per_s / 1e12, ridge * bytes_per_s / 1e12], style, color=colour
    )
    if peak:
        axes.plot([ridge, span[1]], [peak / 1e12] * 2, style, color=INK, linewidth=0.8)


def _legend_of_media(media: Sequence[str]) -> tuple[list[Any], list[str]]:
    lines = [_line(color=look(medium).colour) for medium in media]
    return [*lines, _line(color=INK, linewidth=0.8)], [*media, "peak"]


def _marker(number: int) -> dict[str, Any]:
    """The mark of a result: filled, then hollow where there are more results than marks."""
    hollow = number // len(_MARKERS) % 2
    style: dict[str, Any] = {"marker": _MARKERS[number % len(_MARKERS)], "markersize": 4.5}
    return style | (
        {"markerfacecolor": "white"} if hollow else {"markeredgecolor": INK, "markeredgewidth": 0.4}
    )


def _line(**style: Any) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], **style)
