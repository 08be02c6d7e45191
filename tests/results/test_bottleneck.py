"""What bounds latency and throughput, as the record states it.

tests/test_machines.py derives when the tasks of one matrix and three tokens start: the path to the end at
261 is the global bus for 4 and the bus for 2, until token 0 starts on the arrays at 6; the arrays held by
tokens 0 and 1, 80 each; token 2's MVM, 90; the bus for 2 and the global bus for 3.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archsim.hardware.loader import load_hardware
from archsim.pipeline import simulate
from archsim.results.bottleneck import bottleneck
from archsim.sim.event_engine import run_event
from archsim.task_graph import GraphBuilder
from archsim.workload.trace import read_trace

MACHINES = Path(__file__).parents[1] / "machines"
REPLICATED = ("mapping.replication=whole", "chip.global_bus.bandwidth_gb_per_s=1.0")


def record(trace: str = "matrix.trace", *overrides: str, **options: bool) -> dict[str, Any]:
    machine = load_hardware(MACHINES / "small.yaml", overrides)
    return simulate(machine, read_trace(MACHINES / trace), **options).critical_path


def test_latency() -> None:
    found = record(stream=False)
    assert found["cycles"] == 261
    assert (found["compute_cycles"], found["transfer_cycles"], found["waiting_cycles"]) == (90, 11, 160)
    assert found["by_class"] == {"analog": 250, "global_bus": 7, "bus": 4}
    assert found["by_operation"] == {"w": 256, "output": 5}
    assert found["by_layer"] == {"l0": 256, "outside": 5}
    assert found["waiting_by_class"] == {"analog": 160}


def test_throughput_without_a_stream() -> None:
    """The arrays are held for 3 x 80, the global bus for 3 x (2 + 1), the bus for 3 x (1 + 1)."""
    found = record(stream=False)["throughput"]
    assert found == {
        "interval_cycles": 261,
        "in_flight_limit": found["in_flight_limit"],
        "searched": True,
        "busiest": {
            "analog": {"resource": "chip0.pu0.analog.w", "busy_cycles": 240, "others": 0},
            "global_bus": {"resource": "chip0.global_bus", "busy_cycles": 9, "others": 0},
            "bus": {"resource": "chip0.pu0.bus", "busy_cycles": 6, "others": 0},
        },
    }


def test_throughput_of_copies() -> None:
    """``whole`` replication deals three tokens to eight copies: each serves 3 / 8 of a token an inference."""
    busiest = record("matrix.trace", "mapping.replication=whole")["throughput"]["busiest"]
    assert busiest["analog"]["busy_cycles"] == 3 / 8 * 80


def test_what_if_the_arrays_were_twice_as_fast() -> None:
    """An MVM holds them for 40 and takes 45: 6 + 2 x 40 + 45 + 5, and 3 x 40 between two inferences."""
    found = record(what_if=True)
    assert found["throughput"]["interval_cycles"] == 240
    assert found["what_if"] == {"analog": {"latency_cycles": 136, "interval_cycles": 120}}
    assert record(what_if=True, stream=False)["what_if"] == {
        "analog": {"latency_cycles": 136, "interval_cycles": None}
    }


def test_what_bounds_latency_and_what_bounds_throughput_are_tried_apart() -> None:
    """Eight copies are held for 3 / 8 x 80 = 30 each; a global bus of 1 GB/s for 3 x (8 + 4) = 36.

    The path: two inputs ahead on the global bus, 8 each, the last one's 10, 2 on the bus, 90, 2, and 4 + 2.
    """
    found = record("matrix.trace", *REPLICATED, what_if=True)
    assert found["by_class"] == {"analog": 90, "global_bus": 32, "bus": 4}
    assert found["throughput"]["interval_cycles"] == 36
    assert found["what_if"] == {
        # 45 less; the global bus bounds as before
        "analog": {"latency_cycles": 126 - 45, "interval_cycles": 36},
        # 4 + 4 + 5 and 3 instead of 8 + 8 + 10 and 6; the copies bound
        "global_bus": {"latency_cycles": 126 - 16, "interval_cycles": 30},
    }


def test_nothing_is_tried_unless_asked_for() -> None:
    assert record()["what_if"] == {}


@pytest.mark.parametrize("trace", ["matrix", "pipeline", "attention", "decode"])
def test_tables_sum_to_the_latency(trace: str) -> None:
    found = record(f"{trace}.trace", "chip.pus=2", stream=False)
    kinds = (found[f"{kind}_cycles"] for kind in ("compute", "transfer", "waiting"))
    assert sum(kinds) == found["cycles"]
    for table in ("by_class", "by_operation", "by_layer"):
        assert sum(found[table].values()) == found["cycles"]
    assert sum(found["waiting_by_class"].values()) == found["waiting_cycles"]


def test_layers_come_in_their_order() -> None:
    assert list(record("pipeline.trace", "chip.pus=2", stream=False)["by_layer"]) == ["l0", "l1", "outside"]


def test_equal_resources_are_counted() -> None:
    """Two arrays held for 10 and one for 9; the medium for 3; whichever was made first is named."""
    builder = GraphBuilder()
    for name, busy in (("a", 9), ("b", 10), ("c", 10)):
        builder.add(builder.resource(name, "analog"), busy, busy, np.arange(1))
    builder.add(builder.resource("m", "bus"), 3, 3, np.arange(1))
    graph = builder.build()
    busiest = bottleneck(graph, run_event(graph).start[0], None, ("bus",), None)["throughput"]["busiest"]
    assert busiest == {
        "analog": {"resource": "chip0.b", "busy_cycles": 10, "others": 1},
        "bus": {"resource": "chip0.m", "busy_cycles": 3, "others": 0},
    }
