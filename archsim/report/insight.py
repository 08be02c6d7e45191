"""What bounds a result, in plain sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archsim.results.record import Result

_SAME = 1e-3
"""Intervals that differ by less are equal: the tolerance at which a stream is said to have settled."""

_WORTH_TELLING = 0.01
"""The least share of the critical path for which a resource that is waited for is named."""

_KINDS = ("compute", "transfer", "waiting")


def insight(result: Result) -> list[str]:
    """What bounds latency, what bounds throughput, what would be next, and what was tried."""
    record = result.critical_path
    tried = [_what_if(record, part) for part in record["what_if"]]
    return [_latency(record), *_throughput(result), *tried]


def _latency(record: Mapping[str, Any]) -> str:
    """The class and the operation that the critical path goes through for longest, and what it does there."""
    total = record["cycles"]
    if not total:
        return "Nothing bounds latency: no task takes time."
    part, cycles = next(iter(record["by_class"].items()))
    operation, longest = next(iter(record["by_operation"].items()))
    compute, transfer, waiting = (record[f"{kind}_cycles"] / total for kind in _KINDS)
    busy = {name: waited / total for name, waited in record["waiting_by_class"].items()}
    shown = [f"{name} {share:.1%}" for name, share in busy.items() if share >= _WORTH_TELLING]
    where = f" ({', '.join(shown)})" if shown else ""
    return (
        f"Latency is bound by {part}: {cycles / total:.1%} of the {total:,} cycles of the critical path; its "
        f"longest operation is {operation}, {longest / total:.1%}. The path is {compute:.1%} compute, "
        f"{transfer:.1%} transfer and {waiting:.1%} waiting for busy resources{where}."
    )


def _throughput(result: Result) -> list[str]:
    """What sets the interval between two inferences, and what would set it next."""
    bounds = result.critical_path["throughput"]
    interval, classes = bounds["interval_cycles"], list(bounds["busiest"].items())
    if not classes:
        return ["Nothing bounds throughput: no task holds a resource."]
    part, best = classes[0]
    busy = best["busy_cycles"]
    if not result.options["stream"]:
        return [
            f"Throughput was not measured. In a stream {part} would bound it first: {_resource(best)} busy "
            f"for {_cycles(busy)} cycles of each inference."
        ]
    if interval > busy * (1 + _SAME):
        return [_unsaturated(result), _next_bound(part, best, interval)]
    bound = (
        f"Throughput is bound by {part}: {_resource(best)} busy for {_cycles(busy)} of the "
        f"{_cycles(interval)} cycles between two inferences."
    )
    return [bound, *(_next_bound(other, its, interval) for other, its in classes[1:2])]


def _unsaturated(result: Result) -> str:
    """What sets the interval when no resource is busy all the time."""
    in_flight = int(result.throughput["in_flight"])
    if in_flight == result.critical_path["throughput"]["in_flight_limit"]:
        return f"Throughput is bound by storage: there is room for {_inferences(in_flight)} at a time."
    if not result.critical_path["throughput"]["searched"]:
        return (
            f"Throughput is bound by the {_inferences(in_flight)} in flight, where the search was cut short: "
            "no resource is busy all the time."
        )
    if result.options["in_flight"] != "auto":
        return f"Throughput is bound by mapping.in_flight, which allows {_inferences(in_flight)} at a time."
    return (
        "Throughput is bound by tasks that wait for each other and for room in buffers: no resource is busy "
        "all the time."
    )


def _next_bound(part: str, best: Mapping[str, Any], interval: float) -> str:
    busy = best["busy_cycles"]
    if not busy:
        return f"There is no next bound: {part} takes no time."
    held = f"{_resource(best)} busy for {_cycles(busy)} of the {_cycles(interval)} cycles"
    return f"The next bound is {part}: {held}, which allows {_times(interval / busy)} the throughput."


def _what_if(record: Mapping[str, Any], part: str) -> str:
    """The speed-ups that a run with a faster class of resources showed."""
    tried = record["what_if"][part]
    latency, interval = tried["latency_cycles"], tried["interval_cycles"]
    speedup = _times(record["cycles"] / latency)
    text = f"Run with {part} twice as fast: latency {latency:,} cycles ({speedup} as fast)"
    if interval is None:
        return f"{text}."
    speedup = _times(record["throughput"]["interval_cycles"] / interval)
    return f"{text}, one inference every {_cycles(interval)} cycles ({speedup} the throughput)."


def _resource(best: Mapping[str, Any]) -> str:
    name, others = best["resource"], best["others"]
    return f"{name} and {others} other{'s' * (others > 1)} are" if others else f"{name} is"


def _inferences(number: int) -> str:
    return f"{number} inference{'s' * (number != 1)}"


def _cycles(cycles: float) -> str:
    return f"{cycles:,.1f}".removesuffix(".0")


def _times(ratio: float) -> str:
    return f"{ratio:.2f}x"
