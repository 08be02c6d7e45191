"""The throughput of settled streams: one bar a result, and how it compares with the first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from archsim.errors import ArchsimError
from archsim.report.plots.labels import Named, scaled
from archsim.report.plots.layout import bar_figure, end_labels, filled
from archsim.report.plots.palette import BLUE, Look

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# a word keeps its distance from the prefix
_TIMES = "\N{MULTIPLICATION SIGN}"
_UNITS = {"inferences": " inferences/s", "tokens": " tokens/s", "ops": "OPS"}


def draw(results: Sequence[Named], by: str) -> Figure:
    """The picture; ``ops`` counts two operations a MAC of the trace.

    Raises: ArchsimError: when all throughputs are 0.
    """
    rates = [each.result.throughput[f"{by}_per_s"] for each in results]
    if not max(rates) > 0:
        raise ArchsimError("nothing to plot: all values are 0")
    scale = scaled(max(rates), _UNITS[by])
    figure, axes = bar_figure([each.name for each in results])
    widths = [rate * scale.factor for rate in rates]
    axes.barh(range(len(rates)), widths, 0.7, **filled(Look(BLUE, "")))
    end_labels(figure, axes, widths, [_text(scale.text(rate), rate, rates) for rate in rates])
    axes.set_xlabel(f"throughput ({scale.unit})")
    return figure


def _text(value: str, rate: float, rates: Sequence[float]) -> str:
    """The value, and where there are several its ratio to the first."""
    return f"{value}, {rate / rates[0]:.2f}{_TIMES}" if len(rates) > 1 and rates[0] > 0 else value
