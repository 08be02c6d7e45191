"""The sentences at the end of the summary; tests/results/test_bottleneck.py derives the numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archsim.hardware.loader import load_hardware
from archsim.pipeline import simulate
from archsim.report.insight import insight
from archsim.report.summary import WIDTH, summary_text
from archsim.results.record import Result
from archsim.workload.trace import read_trace

MACHINES = Path(__file__).parents[1] / "machines"

LATENCY = (
    # 250, 256, 90, 11 and 160 of 261
    "Latency is bound by analog: 95.8% of the 261 cycles of the critical path; its longest operation is w, "
    "98.1%. The path is 34.5% compute, 4.2% transfer and 61.3% waiting for busy resources (analog 61.3%)."
)


def result_of(*overrides: str, **options: bool) -> Result:
    machine = load_hardware(MACHINES / "small.yaml", overrides)
    return simulate(machine, read_trace(MACHINES / "matrix.trace"), **options)


@pytest.fixture(scope="module")
def result() -> Result:
    return result_of(what_if=True)


def changed(result: Result, **throughput: Any) -> Result:
    """The result with another ``critical_path.throughput``."""
    record = result.critical_path
    return replace(result, critical_path=record | {"throughput": record["throughput"] | throughput})


def test_what_bounds_a_run_and_what_would_be_next(result: Result) -> None:
    assert insight(result) == [
        LATENCY,
        "Throughput is bound by analog: chip0.pu0.analog.w is busy for 240 of the 240 cycles between two "
        "inferences.",
        # 240 / 9
        "The next bound is global_bus: chip0.global_bus is busy for 9 of the 240 cycles, which allows 26.67x "
        "the throughput.",
        # 261 / 136 and 240 / 120
        "Run with analog twice as fast: latency 136 cycles (1.92x as fast), one inference every 120 cycles "
        "(2.00x the throughput).",
    ]


def test_without_a_stream() -> None:
    assert insight(result_of(stream=False, what_if=True)) == [
        LATENCY,
        "Throughput was not measured. In a stream analog would bound it first: chip0.pu0.analog.w is busy "
        "for 240 cycles of each inference.",
        "Run with analog twice as fast: latency 136 cycles (1.92x as fast).",
    ]


@pytest.mark.parametrize(("others", "who"), [(1, "a and 1 other are"), (2, "a and 2 others are")])
def test_resources_that_tie_are_counted(result: Result, others: int, who: str) -> None:
    busiest = {"analog": {"resource": "a", "busy_cycles": 240, "others": others}}
    assert insight(changed(result, busiest=busiest))[1] == (
        f"Throughput is bound by analog: {who} busy for 240 of the 240 cycles between two inferences."
    )


NEXT = (
    "The next bound is analog: chip0.pu0.analog.w is busy for 240 of the 300 cycles, which allows 1.25x the "
    "throughput."
)


def test_a_stream_that_storage_limits(result: Result) -> None:
    in_flight = result.throughput["in_flight"]
    limited = changed(result, interval_cycles=300.0, in_flight_limit=in_flight)
    why = f"Throughput is bound by storage: there is room for {in_flight} inferences at a time."
    assert insight(limited)[1:3] == [why, NEXT]


def test_a_stream_that_the_machine_limits(result: Result) -> None:
    limited = changed(replace(result, options=result.options | {"in_flight": 2}), interval_cycles=300.0)
    in_flight = result.throughput["in_flight"]
    why = f"Throughput is bound by mapping.in_flight, which allows {in_flight} inferences at a time."
    assert insight(limited)[1:3] == [why, NEXT]


def test_a_stream_that_nothing_saturates(result: Result) -> None:
    why = (
        "Throughput is bound by tasks that wait for each other and for room in buffers: no resource is busy "
        "all the time."
    )
    assert insight(changed(result, interval_cycles=300.0))[1:3] == [why, NEXT]


def test_the_summary_ends_with_the_sentences(result: Result) -> None:
    text = summary_text(result)
    *_, sentences = text.split("\n\n")
    assert " ".join(sentences.split()) == " ".join(insight(result))
    assert max(map(len, text.splitlines())) <= WIDTH
