"""Numbers of a result that comparisons need and the record does not have as one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from archsim.results.energy import STATIC
from archsim.results.record import Result
from archsim.workload.operations import Trace

_TABLES = ("by_component", "by_operation", "by_layer")


def at_full_rate(result: Result) -> Result:
    """One inference alone, with throughput and leakage at the rate that its busiest part allows.

    A stream settles within 0.3 % of that interval (docs/validation.md), within 1.5 % where layers queue for a
    bus, and takes many times as long to run. A machine with one inference in flight stays as it is.
    """
    if result.options["stream"] or result.options["in_flight"] == 1:
        return result
    path, energy, throughput = result.critical_path, result.energy_pj, result.throughput
    busiest = max(each["busy_cycles"] for each in path["throughput"]["busiest"].values())
    gain = path["cycles"] / busiest
    static = energy["static"] / gain
    tables: dict[str, Any] = {name: energy[name] | {STATIC: static} for name in _TABLES}
    total = energy["per_inference"] - energy["static"] + static
    rates = {name: value * gain for name, value in throughput.items() if name.endswith("_per_s")}
    return replace(
        result,
        energy_pj=energy | tables | {"per_inference": total, "static": static},
        throughput=throughput | rates | {"interval_ns": throughput["interval_ns"] / gain},
    )


def names_of_family(trace: Trace, family: str) -> set[str]:
    """The operations of a family as the record names them, without their layers."""
    return {op.id.removeprefix(f"l{op.layer}.") for op in trace.operations if op.family == family}


def family_pj(result: Result, trace: Trace, family: str) -> float:
    """Dynamic energy of one inference in the operations of a family: ``linear``, ``attention``."""
    table: Mapping[str, float] = result.energy_pj["by_operation"]
    return sum(table.get(name, 0.0) for name in names_of_family(trace, family))


def linear_macs(trace: Trace) -> int:
    """MACs of the linear layers of one prefill of a sequence."""
    (phase,) = trace.phases
    return phase.tokens * sum(op.rows * op.columns for op in trace.operations if op.family == "linear")


def attention_products(trace: Trace) -> int:
    """Products of Q K^T and S V of one prefill of a sequence, none of them pruned."""
    (phase,) = trace.phases
    tokens = phase.tokens
    keys = tokens * (tokens + 1) // 2 if trace.attention == "causal" else tokens**2
    return keys * sum(op.macs(1) for op in trace.operations if op.family == "attention")


def energy_pj(result: Result) -> float:
    """Energy of an inference, leakage included."""
    energy: float = result.energy_pj["per_inference"]
    return energy


def rate(result: Result) -> float:
    """Inferences a second."""
    found: float = result.throughput["inferences_per_s"]
    return found
