"""Stacked bars: what a whole consists of, one bar a result."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archsim.errors import ArchsimError
from archsim.report.plots.labels import Scale
from archsim.report.plots.layout import add_legend, bar_figure, end_labels, filled, patch
from archsim.report.plots.palette import OTHER, Look, looks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEAST = 0.02
"""Rows that are below this share of every bar are added up in one, ``other``."""

MOST = 12
"""Rows that are shown at most; the smallest ones beyond them join ``other``."""


@dataclass(frozen=True, slots=True)
class Stacks:
    """Bars of the same rows.

    Args: rows: the values of each row, one a bar, the row with the largest share first, ``other`` last;
        folded: rows that ``other`` is made of; below: none of them has a larger share of a bar.
    """

    rows: dict[str, list[float]]
    folded: int
    below: float

    @property
    def totals(self) -> list[float]:
        """The whole of each bar."""
        return [math.fsum(values) for values in zip(*self.rows.values(), strict=True)]

    def label(self, name: str) -> str:
        """What the legend says of a row; with a single bar its share as well."""
        text = name
        if name == OTHER and self.folded:
            text = f"{self.folded} others, each < {math.ceil(self.below * 1000) / 10:g} %"
        (total, *more), value = self.totals, self.rows[name][0]
        return text if more or not total else f"{text}: {value / total * 100:.1f} %"

    def looks(self) -> dict[str, Look]:
        """The look of each row."""
        return looks(list(self.rows))


def stack(tables: Sequence[Mapping[str, float]]) -> Stacks:
    """Bars of the tables' rows, without those that are 0 in all of them, small ones folded.

    Raises: ArchsimError: when no table has a value above 0.
    """
    totals = [math.fsum(table.values()) for table in tables]
    names = dict.fromkeys(name for table in tables for name in table)
    shares = {
        name: max(
            table.get(name, 0.0) / total if total > 0 else 0.0
            for table, total in zip(tables, totals, strict=True)
        )
        for name in names
    }
    ranked = sorted((name for name in names if shares[name] > 0), key=lambda name: (-shares[name], name))
    if not ranked:
        raise ArchsimError("nothing to plot: all values are 0")
    small = {name for place, name in enumerate(ranked) if shares[name] < LEAST or place >= MOST}
    if len(small) == 1:  # a row of its own takes no more room than one called other
        small = set()
    rows = {
        name: [table.get(name, 0.0) for table in tables]
        for name in ranked
        if name not in small and name != OTHER
    }
    rest = [name for name in ranked if name in small or name == OTHER]
    if rest:
        rows[OTHER] = [math.fsum(table.get(name, 0.0) for name in rest) for table in tables]
    return Stacks(rows, len(small), max((shares[name] for name in small), default=0.0))


def stacked_figure(names: Sequence[str], stacks: Stacks, scale: Scale, axis: str) -> Figure:
    """Horizontal stacked bars with their totals.

    Args: names: of the bars; axis: what the horizontal axis shows, without the unit.
    """
    figure, axes = bar_figure(names)
    lefts = [0.0] * len(names)
    chosen = stacks.looks()
    for name, values in stacks.rows.items():
        widths = [value * scale.factor for value in values]
        axes.barh(range(len(names)), widths, 0.7, lefts, **filled(chosen[name]))
        lefts = [left + width for left, width in zip(lefts, widths, strict=True)]
    end_labels(figure, axes, lefts, [scale.text(total) for total in stacks.totals])
    axes.set_xlabel(f"{axis} ({scale.unit})")
    labels = [stacks.label(name) for name in stacks.rows]
    add_legend(figure, [patch(chosen[name]) for name in stacks.rows], labels)
    return figure
