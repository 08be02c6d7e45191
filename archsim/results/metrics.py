"""The headline numbers of a result: columns of tables and sweeps, and what may be an objective."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

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


def metrics_of(result: Mapping[str, Any]) -> dict[str, float | None]:
    """The value of each metric in a result record, by column."""
    return {name: result[metric.section].get(metric.key) for name, metric in METRICS.items()}
