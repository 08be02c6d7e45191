"""The energy of an inference, by component, part or operation: one stacked bar a result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archsim.report.plots.labels import Named, scaled
from archsim.report.plots.stacks import stack, stacked_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(results: Sequence[Named], by: str) -> Figure:
    """The picture."""
    tables = [energy_table(each, by) for each in results]
    stacks = stack(tables)
    scale = scaled(max(stacks.totals), "J", 1e-12)
    return stacked_figure([each.name for each in results], stacks, scale, "energy an inference")


def energy_table(each: Named, by: str) -> Mapping[str, float]:
    """Energy in pJ of one result, by component, part or operation; leakage is the row ``static``."""
    energy = each.result.energy_pj
    table: Mapping[str, float] = energy["by_operation" if by == "operation" else "by_component"]
    return by_part(table) if by == "part" else table


def by_part(table: Mapping[str, float]) -> dict[str, float]:
    """The rows of a table by component added up by the part that they belong to."""
    sums: dict[str, float] = {}
    for name, value in table.items():
        part = name.partition(".")[0]
        sums[part] = sums.get(part, 0.0) + value
    return sums
