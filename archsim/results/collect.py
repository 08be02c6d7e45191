"""Collects the result record from finished runs: latency, throughput, energy, power, utilisation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.cost.entry import Charge
from archsim.cost.rollup import Installed, area_mm2, charges, leakage_mw, writes_per_cell
from archsim.results.energy import action_counts, dynamic_energy, peak_power_mw, task_energy
from archsim.results.record import Result
from archsim.results.utilisation import traffic_bytes, utilisation
from archsim.sim.stream import Stream
from archsim.task_graph import TaskGraph

PEAK_WINDOW_NS = 1000.0
"""The window that ``power_w.peak`` is a mean over: what the capacitors of a package bridge."""

RETICLE_MM2 = 858.0
"""The largest chip that a lithography exposure makes: 26 mm x 33 mm, the scanner field."""

NS_PER_HOUR = 3.6e12

HOURS_PER_YEAR = 8760.0

PACKAGE_W = 1000.0
"""Power that a liquid-cooled accelerator package takes away; assumption, after the packages sold in 2024."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a result needs to know of the machine, the trace and the mapping, as plain data.

    Args: prompt_tokens, tokens: of one inference, before decode and in all; output: the operation by
        which results reach the host; macs: that the trace states; executed_macs: after SVD;
        peak_macs_per_cycle: of the chips in use.
    """

    hardware: dict[str, Any]
    workload: dict[str, Any]
    options: dict[str, Any]
    mapping: dict[str, Any]
    installed: Sequence[Installed]
    chips: int
    clock_ghz: float
    prompt_tokens: int
    tokens: int
    output: str
    macs: int
    executed_macs: int
    peak_macs_per_cycle: float
    programming: dict[str, float]
    warnings: Sequence[str]
    assumptions: Sequence[dict[str, str]]


def collect(
    setting: Setting,
    graph: TaskGraph,
    start: NDArray[np.int64],
    stream: Stream | None,
    critical_path: dict[str, Any],
) -> Result:
    """The record of one inference in an empty machine and of the settled stream.

    Without a stream, the next inference enters when the one before it has left.
    Args: start: (tasks,) cycles at which the tasks of the one inference started; critical_path: see
        ``results.bottleneck``.
    """
    interval = stream.interval_cycles if stream else float(start[graph.exit])
    interval_ns = interval / setting.clock_ghz
    prices = charges(setting.installed)
    area = area_mm2(setting.installed)
    leakage = leakage_mw(setting.installed)
    counts = action_counts(graph)
    energy = dynamic_energy(graph, counts, prices).with_static(leakage * interval_ns)
    throughput = _throughput(setting, interval_ns, stream)
    power = _power(setting, graph, prices, stream.start if stream else start, interval) | {
        "average": energy.total / interval_ns / 1000,
        "leakage": leakage / 1000,
    }
    power["peak"] += power["leakage"]
    shares = utilisation(graph, interval)
    wear = writes_per_cell(setting.installed, counts)
    return Result(
        hardware=setting.hardware,
        workload=setting.workload,
        options=setting.options,
        latency_ns=_latency(setting, graph, start),
        throughput=throughput,
        energy_pj={
            "per_inference": energy.total,
            "static": leakage * interval_ns,
            "by_component": _largest_first(energy.by_component),
            "by_operation": _largest_first(energy.by_operation),
            "by_layer": energy.by_layer,
        },
        area_mm2={"total": sum(area.values()), "by_component": _largest_first(area)},
        efficiency=_efficiency(setting, throughput, power["average"], sum(area.values())),
        power_w=dict(sorted(power.items())),
        utilisation=shares.by_class,
        utilisation_by_layer=shares.by_layer,
        traffic_bytes=traffic_bytes(counts),
        mapping=setting.mapping,
        programming=setting.programming,
        wear=wear,
        critical_path=critical_path,
        warnings=(
            *setting.warnings,
            *_warnings(setting, area, power["average"], stream),
            *_short_lives(setting, wear, interval_ns),
        ),
        assumptions=tuple(setting.assumptions),
    )


def _latency(setting: Setting, graph: TaskGraph, start: NDArray[np.int64]) -> dict[str, float]:
    """Latencies in ns; a token is there when its result has reached the host.

    ``first_token`` is the last one's of the prompt, or of the first decode step where there is no prompt.
    """
    clock = setting.clock_ghz
    end = int(start[graph.exit]) / clock
    latency = {"first_inference": end}
    if setting.tokens > setting.prompt_tokens:
        outputs = graph.operation == graph.operations.index(setting.output)
        token, finish = graph.token[outputs], (start + graph.latency)[outputs]
        first = int(finish[token < (setting.prompt_tokens or setting.workload["batch"])].max())
        decode = int(finish.max()) - (first if setting.prompt_tokens else 0)
        latency["first_token"] = first / clock
        latency["per_token"] = decode / clock / setting.workload["decode_steps"]
    latency["total"] = end
    return latency


def _throughput(setting: Setting, interval_ns: float, stream: Stream | None) -> dict[str, float]:
    """Rates of the settled stream; two operations a MAC of the trace."""
    per_s = 1e9 / interval_ns
    return {
        "inferences_per_s": per_s,
        "tokens_per_s": setting.tokens * per_s,
        "ops_per_s": 2 * setting.macs * per_s,
        "interval_ns": interval_ns,
        "in_flight": stream.in_flight if stream else 1,
    }


def _efficiency(
    setting: Setting, throughput: Mapping[str, float], power_w: float, area: float
) -> dict[str, float]:
    tops = throughput["ops_per_s"] / 1e12
    return {
        "tops": tops,
        "tops_per_w": tops / power_w if power_w else 0.0,
        "tops_per_mm2": tops / area if area else 0.0,
        "peak_tops": 2 * setting.peak_macs_per_cycle * setting.clock_ghz / 1000,
        "executed_macs_per_inference": setting.executed_macs,
    }


def _power(
    setting: Setting,
    graph: TaskGraph,
    prices: Mapping[str, tuple[Charge, ...]],
    start: NDArray[np.int64],
    interval: float,
) -> dict[str, float]:
    """The peak of the settled stream, in W, and the window that it is a mean over."""
    window = PEAK_WINDOW_NS * setting.clock_ghz
    peak = peak_power_mw(
        task_energy(graph, prices), start, graph.occupancy, interval, window, setting.clock_ghz
    )
    return {"peak": peak / 1000, "peak_window_ns": PEAK_WINDOW_NS}


def _warnings(
    setting: Setting, area: Mapping[str, float], power_w: float, stream: Stream | None
) -> list[str]:
    """What an architect would say about the numbers."""
    found = []
    chip_mm2 = sum(area.values()) / setting.chips
    if chip_mm2 > RETICLE_MM2:
        found.append(f"a chip of {chip_mm2:.0f} mm2 is larger than a reticle ({RETICLE_MM2:.0f} mm2)")
    if power_w / setting.chips > PACKAGE_W:
        found.append(
            f"{power_w / setting.chips:.0f} W a chip are more than a package takes away ({PACKAGE_W:.0f} W)"
        )
    if stream and not stream.converged:
        found.append("the stream did not settle: the throughput is the mean over its last windows")
    if stream and not stream.searched:
        found.append(
            f"the search for the best number in flight was cut short at {stream.in_flight}: more may raise "
            f"the throughput, by {stream.interval_cycles / stream.bound_cycles:.2f}x at most; name one with "
            "mapping.in_flight"
        )
    return found


def _short_lives(setting: Setting, wear: Mapping[str, float], interval_ns: float) -> Iterator[str]:
    """Parts whose cells wear out within a year of the stream, on average over all of them."""
    for part in setting.installed:
        endurance, writes = part.table.endurance_writes, wear.get(part.name, 0.0)
        if endurance is None or not writes:
            continue
        hours = endurance / writes * interval_ns / NS_PER_HOUR
        if hours < HOURS_PER_YEAR:
            yield (
                f"the cells of {part.name} are written {writes:.3g} times an inference on average: at this "
                f"rate an endurance of {endurance:.0e} writes lasts {hours:.3g} hours"
            )


def _largest_first(table: Mapping[str, float]) -> dict[str, float]:
    return dict(sorted(table.items(), key=lambda row: (-row[1], row[0])))
