"""The area of the chips in use, by component or part: one stacked bar a result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from archsim.report.plots.energy import by_part
from archsim.report.plots.labels import Named, Scale
from archsim.report.plots.stacks import stack, stacked_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(results: Sequence[Named], by: str) -> Figure:
    """The picture."""
    tables = [each.result.area_mm2["by_component"] for each in results]
    stacks = stack([by_part(table) for table in tables] if by == "part" else tables)
    return stacked_figure([each.name for each in results], stacks, Scale(1.0, "mm²"), "area")
