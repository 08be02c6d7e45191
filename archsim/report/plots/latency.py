"""The latency of an inference in an empty machine, by what its critical path goes through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archsim.report.plots.labels import Named, scaled
from archsim.report.plots.stacks import stack, stacked_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CAUSES = ("compute", "transfer", "waiting")


def draw(results: Sequence[Named], by: str) -> Figure:
    """The picture; causes are compute, transfer and waiting for busy resources."""
    stacks = stack([_table(each, by) for each in results])
    scale = scaled(max(stacks.totals), "s", 1e-9)
    return stacked_figure([each.name for each in results], stacks, scale, "latency of an inference")


def _table(each: Named, by: str) -> dict[str, float]:
    """The cycles of the critical path in ns."""
    path, clock_ghz = each.result.critical_path, each.result.hardware["clock_ghz"]
    cycles: Mapping[str, float]
    cycles = {name: path[f"{name}_cycles"] for name in _CAUSES} if by == "cause" else path[f"by_{by}"]
    return {name: value / clock_ghz for name, value in cycles.items()}
