"""The headline numbers of a result: the columns of a sweep, and what may be an objective."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from archsim.errors import Finding, SpaceError, did_you_mean

Direction = Literal["min", "max"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One number of a result.

    Args: section, key: where ``result.json`` has it; direction: which end of it is good; alias: a short
        name for it on the command line, '' for none; label, unit, scale: for tables: a person reads
        ``value * scale`` in ``unit``.
    """

    section: str
    key: str
    direction: Direction
    alias: str
    label: str
    unit: str
    scale: float


METRICS: dict[str, Metric] = {
    "latency_ns": Metric("latency_ns", "first_inference", "min", "latency", "latency", "ms", 1e-6),
    "first_token_ns": Metric("latency_ns", "first_token", "min", "", "first token", "ms", 1e-6),
    "per_token_ns": Metric("latency_ns", "per_token", "min", "", "per token", "ms", 1e-6),
    "inferences_per_s": Metric(
        "throughput", "inferences_per_s", "max", "throughput", "inferences", "/s", 1.0
    ),
    "tokens_per_s": Metric("throughput", "tokens_per_s", "max", "", "tokens", "/s", 1.0),
    "in_flight": Metric("throughput", "in_flight", "min", "", "in flight", "", 1.0),
    "energy_pj": Metric("energy_pj", "per_inference", "min", "energy", "energy", "mJ", 1e-9),
    "area_mm2": Metric("area_mm2", "total", "min", "area", "area", "mm2", 1.0),
    "power_w": Metric("power_w", "average", "min", "power", "power", "W", 1.0),
    "peak_power_w": Metric("power_w", "peak", "min", "", "peak power", "W", 1.0),
    "tops": Metric("efficiency", "tops", "max", "", "TOPS", "", 1.0),
    "tops_per_w": Metric("efficiency", "tops_per_w", "max", "", "TOPS", "/W", 1.0),
    "tops_per_mm2": Metric("efficiency", "tops_per_mm2", "max", "", "TOPS", "/mm2", 1.0),
    "chips_used": Metric("mapping", "chips_used", "min", "chips", "chips", "", 1.0),
    "programming_pj": Metric("programming", "energy_pj", "min", "", "programming", "mJ", 1e-9),
}
"""By column name; a metric that a result does not have (``per_token_ns`` without decode) is None."""


@dataclass(frozen=True, slots=True)
class Objective:
    """A column to be minimised or maximised."""

    column: str
    direction: Direction


def metrics_of(result: Mapping[str, Any]) -> dict[str, float | None]:
    """The value of each metric in a result record, by column."""
    return {name: result[metric.section].get(metric.key) for name, metric in METRICS.items()}


def parse_objectives(text: str | Sequence[str], paths: Sequence[str] = ()) -> tuple[Objective, ...]:
    """Objectives as ``energy,latency,max:tops_per_w`` names them.

    Args: paths: of the sweep, which may be objectives too; these need ``min:`` or ``max:``.
    Raises: SpaceError: for a name or a direction that there is not, or none at all.
    """
    words = [word.strip() for word in (text.split(",") if isinstance(text, str) else text)]
    findings: list[Finding] = []
    objectives = [_objective(word, paths, findings) for word in words if word]
    if not objectives:
        findings.append(Finding("names no objective, such as energy,latency,area", path="--pareto"))
    for number, one in enumerate(objectives):
        if one is not None and any(one.column == other.column for other in objectives[:number] if other):
            findings.append(Finding(f"{one.column} is given twice", path="--pareto"))
    if findings:
        raise SpaceError(findings)
    return tuple(one for one in objectives if one is not None)


def _objective(word: str, paths: Sequence[str], findings: list[Finding]) -> Objective | None:
    """One objective, or None with a finding."""
    direction, colon, name = word.rpartition(":")
    column = next((full for full, metric in METRICS.items() if name in (full, metric.alias)), None)
    if colon and direction not in ("min", "max"):
        findings.append(Finding(f"{word!r} begins with neither min: nor max:", path="--pareto"))
    elif column is not None:
        return Objective(column, _given(direction) or METRICS[column].direction)
    elif name in paths and colon:
        return Objective(name, _given(direction) or "min")
    elif name in paths:
        what = f"{name} is swept, and has no good end of its own: say min:{name} or max:{name}"
        findings.append(Finding(what, path="--pareto"))
    else:
        known = [*(metric.alias or full for full, metric in METRICS.items()), *paths]
        near = did_you_mean(name, known) or did_you_mean(name, METRICS)
        what = f"there is no objective {name!r}{near}; objectives are {', '.join(known)}"
        findings.append(Finding(what, path="--pareto"))
    return None


def _given(direction: str) -> Direction | None:
    return "max" if direction == "max" else "min" if direction == "min" else None
