"""Results side by side: their headline numbers, ratios to a first one, and what makes the differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archsim.results.metrics import metrics_of
from archsim.results.record import Result

MEASURES = ("latency_ns", "inferences_per_s", "energy_pj", "area_mm2", "tops", "tops_per_w", "tops_per_mm2")
"""The metrics that are compared."""

BREAKDOWNS = ("energy_pj", "area_mm2", "latency_ns")
"""The breakdowns in which differences are looked for."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One machine on one trace.

    Args: result: None where the machine cannot run it; reasons: why not, each of them.
    """

    machine: str
    workload: str
    result: Result | None
    reasons: tuple[str, ...] = ()

    def measures(self) -> dict[str, float | None]:
        """Its headline numbers, None where there is no result."""
        if self.result is None:
            return dict.fromkeys(MEASURES)
        values = metrics_of(self.result.to_dict())
        return {name: values[name] for name in MEASURES}


@dataclass(frozen=True, slots=True)
class Difference:
    """A row of a breakdown that differs between two results.

    Args: share: of the sum of all absolute differences of the breakdown.
    """

    name: str
    first: float
    other: float
    share: float


def ratios(entry: Entry, first: Entry) -> dict[str, float | None]:
    """The entry's numbers over those of the first one; None where either is missing or zero."""
    own, base = entry.measures(), first.measures()
    return {name: _ratio(own[name], base[name]) for name in MEASURES}


def differences(entry: Entry, first: Entry, top: int = 3) -> dict[str, tuple[Difference, ...]]:
    """What makes most of the difference to the first one, the largest first, by breakdown.

    Energies and areas are compared component by component, latencies by the class of resources that their
    critical paths pass through.
    """
    if entry.result is None or first.result is None:
        return {}
    return {
        breakdown: _largest(_table(first.result, breakdown), _table(entry.result, breakdown), top)
        for breakdown in BREAKDOWNS
    }


def to_rows(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """A flat row for each entry, with the ratios to the first entry of its workload."""
    rows = []
    for entry in entries:
        first = next(each for each in entries if each.workload == entry.workload)
        row: dict[str, Any] = {"machine": entry.machine, "workload": entry.workload} | entry.measures()
        row |= {f"{name}_ratio": ratio for name, ratio in ratios(entry, first).items()}
        rows.append(row | {"reason": "; ".join(entry.reasons)})
    return rows


def _table(result: Result, breakdown: str) -> dict[str, float]:
    """One of the breakdowns of a result, by component or by class of resources."""
    if breakdown == "energy_pj":
        table: dict[str, float] = result.energy_pj["by_component"]
        return table
    if breakdown == "area_mm2":
        table = result.area_mm2["by_component"]
        return table
    clock_ghz = result.hardware["clock_ghz"]
    return {name: cycles / clock_ghz for name, cycles in result.critical_path["by_class"].items()}


def _largest(first: Mapping[str, float], other: Mapping[str, float], top: int) -> tuple[Difference, ...]:
    names = dict.fromkeys([*first, *other])
    deltas = {name: abs(other.get(name, 0.0) - first.get(name, 0.0)) for name in names}
    total = sum(deltas.values())
    ranked = sorted((name for name in names if deltas[name]), key=lambda name: -deltas[name])
    return tuple(
        Difference(name, first.get(name, 0.0), other.get(name, 0.0), deltas[name] / total)
        for name in ranked[:top]
    )


def _ratio(value: float | None, base: float | None) -> float | None:
    return value / base if value is not None and base else None
